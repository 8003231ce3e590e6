"""The pods that resources bring about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from k8s.check.rendering import Resource, name_of

WORKLOADS: Final = ("Deployment", "Job", "StatefulSet")


@dataclass(frozen=True, slots=True)
class Pod:
    """What a workload makes its pods from."""

    owner: str
    """`Deployment/gateway`."""
    labels: dict[str, str]
    spec: dict[str, Any]
    claims: tuple[str, ...]
    """Volumes that come from claims of the workload's own."""

    @property
    def containers(self) -> list[dict[str, Any]]:
        """Those that run to prepare the pod, then those that stay."""
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]


def pods(resources: Sequence[Resource]) -> Iterator[Pod]:
    """The pod of each workload."""
    for resource in resources:
        if resource["kind"] in WORKLOADS:
            spec = resource["spec"]
            template = spec["template"]
            claims = tuple(claim["metadata"]["name"] for claim in spec.get("volumeClaimTemplates", []))
            yield Pod(name_of(resource), template["metadata"].get("labels", {}), template["spec"], claims)
