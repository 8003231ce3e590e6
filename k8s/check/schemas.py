"""Each resource against the schema of its kind, strictly: a field that the kind does not have is a problem."""

from collections.abc import Sequence
from typing import Final

import kubernetes_validate

from k8s.check.rendering import Resource, name_of

KUBERNETES: Final = "1.32"
"""The oldest version that the manifests are for."""


def schema_problems(resources: Sequence[Resource], version: str = KUBERNETES) -> list[str]:
    """What the API server of `version` would refuse or drop; one line each, empty when all is well.

    A kind that is not Kubernetes' own is a problem too: there is no schema to hold it against.
    """
    return [f"{name_of(resource)}: {problem}" for resource in resources if (problem := _problem(resource, version))]


def _problem(resource: Resource, version: str) -> str | None:
    if not isinstance(resource.get("apiVersion"), str) or not isinstance(resource.get("kind"), str):
        return "has no apiVersion or no kind"
    try:
        kubernetes_validate.validate(resource, version, strict=True)
    except kubernetes_validate.ValidationError as exc:
        return f"{'.'.join(map(str, exc.path)) or 'resource'}: {exc.message}"
    except kubernetes_validate.SchemaNotFoundError:
        return f"Kubernetes {version} has no kind {resource['kind']} in {resource['apiVersion']}"
    return None
