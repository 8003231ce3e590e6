"""Names that lead nowhere. The API server accepts them; the pods then never start, or nobody reaches them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from k8s.check.pods import Pod, pods
from k8s.check.rendering import Resource, name_of

Keys = Mapping[tuple[str, str], frozenset[str]]
"""Keys of each ConfigMap and Secret, by kind and name."""


def reference_problems(resources: Sequence[Resource]) -> list[str]:
    """References of a complete installation to what it does not hold; one line each, empty when all is well."""
    keys = {
        (resource["kind"], resource["metadata"]["name"]): frozenset(resource.get("data", {}))
        for resource in resources
        if resource["kind"] in {"ConfigMap", "Secret"}
    }
    names = {name_of(resource) for resource in resources}
    all_pods = list(pods(resources))
    problems = [f"{pod.owner}: {problem}" for pod in all_pods for problem in _pod_problems(pod, names, keys)]
    for resource in resources:
        problems += [f"{name_of(resource)}: {problem}" for problem in _own_problems(resource, names, all_pods)]
    return problems


def _own_problems(resource: Resource, names: set[str], all_pods: Sequence[Pod]) -> Iterator[str]:
    spec = resource.get("spec", {})
    if resource["kind"] == "Service":
        yield from _service_problems(spec, all_pods)
    if resource["kind"] in {"Deployment", "StatefulSet"} and not _selects(
        spec["selector"]["matchLabels"], spec["template"]["metadata"].get("labels", {})
    ):
        yield "its selector does not match its own pods"
    if resource["kind"] == "StatefulSet" and f"Service/{spec['serviceName']}" not in names:
        yield f"there is no Service/{spec['serviceName']}"


def _service_problems(spec: Mapping[str, Any], all_pods: Sequence[Pod]) -> Iterator[str]:
    chosen = [pod for pod in all_pods if _selects(spec["selector"], pod.labels)]
    if not chosen:
        yield "its selector matches no pod"
    for port in spec["ports"]:
        target = port.get("targetPort", port["port"])
        for pod in chosen:
            if not any(target in _ports(container) for container in pod.containers):
                yield f"{pod.owner} has no port {target}"


def _pod_problems(pod: Pod, names: set[str], keys: Keys) -> Iterator[str]:
    account = f"ServiceAccount/{pod.spec.get('serviceAccountName', 'default')}"
    if account not in names:
        yield f"there is no {account}"
    volumes = pod.spec.get("volumes", [])
    for volume in volumes:
        yield from _missing(keys, "ConfigMap", volume.get("configMap", {}).get("name"), ())
        yield from _missing(keys, "Secret", volume.get("secret", {}).get("secretName"), ())
        claim = f"PersistentVolumeClaim/{volume.get('persistentVolumeClaim', {}).get('claimName')}"
        if "persistentVolumeClaim" in volume and claim not in names:
            yield f"there is no {claim}"
    known = {volume["name"] for volume in volumes} | set(pod.claims)
    for container in pod.containers:
        unknown = {mount["name"] for mount in container.get("volumeMounts", [])} - known
        yield from (f"there is no volume {name}" for name in sorted(unknown))
        yield from _environment_problems(container, keys)
        yield from _probe_problems(container)


def _environment_problems(container: Mapping[str, Any], keys: Keys) -> Iterator[str]:
    for source in container.get("envFrom", []):
        yield from _missing(keys, "ConfigMap", source.get("configMapRef", {}).get("name"), ())
        yield from _missing(keys, "Secret", source.get("secretRef", {}).get("name"), ())
    for variable in container.get("env", []):
        source = variable.get("valueFrom", {})
        for kind, reference in (("ConfigMap", source.get("configMapKeyRef")), ("Secret", source.get("secretKeyRef"))):
            if reference is not None:
                yield from _missing(keys, kind, reference["name"], [reference["key"]])


def _probe_problems(container: Mapping[str, Any]) -> Iterator[str]:
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        probe = container.get(name, {})
        for way in ("grpc", "httpGet", "tcpSocket"):
            port = probe.get(way, {}).get("port")
            if port is not None and port not in _ports(container):
                yield f"its {name} asks port {port}, which it does not have"


def _missing(keys: Keys, kind: str, name: str | None, wanted: Iterable[str]) -> Iterator[str]:
    if name is None:
        return
    if (kind, name) not in keys:
        yield f"there is no {kind}/{name}"
        return
    yield from (f"{kind}/{name} has no key {key}" for key in wanted if key not in keys[kind, name])


def _ports(container: Mapping[str, Any]) -> set[str | int]:
    ports = container.get("ports", [])
    return {port["containerPort"] for port in ports} | {port["name"] for port in ports if "name" in port}


def _selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    return selector.items() <= labels.items()
