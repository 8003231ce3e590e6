"""`python -m k8s.check`: renders base and overlays, holds each to the schemas and each overlay to its references."""

import sys
from collections.abc import Mapping
from pathlib import Path

from k8s.check.references import reference_problems
from k8s.check.rendering import RenderingError, render
from k8s.check.schemas import KUBERNETES, schema_problems

K8S = Path(__file__).parents[1]


def kustomizations() -> dict[Path, bool]:
    """Base and overlays; True where one is complete. The base names secrets that only an overlay holds."""
    overlays = sorted(path.parent for path in K8S.glob("overlays/*/kustomization.yaml"))
    return {K8S / "base": False, **dict.fromkeys(overlays, True)}


def main(directories: Mapping[Path, bool]) -> int:
    """Prints a line for each kustomization and each problem; 1 where there is one, else 0."""
    return max(_check(directory, complete=complete) for directory, complete in directories.items())


def _check(directory: Path, *, complete: bool) -> int:
    try:
        resources = render(directory)
    except RenderingError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    problems = schema_problems(resources)
    # What has no valid shape cannot be followed to what it names.
    if complete and not problems:
        problems = reference_problems(resources)
    for problem in problems:
        sys.stderr.write(f"{directory}: {problem}\n")
    sys.stdout.write(f"{directory}: {len(resources)} resources, Kubernetes {KUBERNETES}, {len(problems)} problems\n")
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main(kustomizations()))
