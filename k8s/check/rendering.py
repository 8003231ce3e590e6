"""From a kustomization to the resources that `kubectl apply -k` would send."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final, TypeAlias

import yaml

Resource: TypeAlias = dict[str, Any]
"""One document of a rendered manifest."""

SECONDS: Final = 60.0


class RenderingError(Exception):
    """The kustomization cannot be rendered; the message is kubectl's."""


def render(directory: Path) -> list[Resource]:
    """The resources of a kustomization, in kubectl's order. Nothing is fetched and no cluster is asked.

    Raises:
        RenderingError: there is no kubectl, or it refuses the kustomization.
    """
    # No argument comes from outside: a path of this repository.
    done = subprocess.run(  # noqa: S603
        [_kubectl(), "kustomize", str(directory)], capture_output=True, check=False, text=True, timeout=SECONDS
    )
    if done.returncode != 0:
        raise RenderingError(f"{directory}: {done.stderr.strip()}")
    return [document for document in yaml.safe_load_all(done.stdout) if document is not None]


def name_of(resource: Resource) -> str:
    """`Deployment/gateway`."""
    return f"{resource.get('kind')}/{resource.get('metadata', {}).get('name')}"


def _kubectl() -> str:
    """The pinned one of this environment; where its wheel does not exist, the one of the machine."""
    found = shutil.which("kubectl", path=str(Path(sys.executable).parent)) or shutil.which("kubectl")
    if found is None:
        raise RenderingError("kubectl is not installed; `make install` brings it")
    return found
