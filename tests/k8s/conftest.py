"""`installation`: the dev overlay as kubectl renders it; `base`: what overlays start from."""

from pathlib import Path

import pytest

from k8s.check.rendering import render

K8S = Path(__file__).parents[2] / "k8s"


@pytest.fixture(scope="session")
def base():
    return render(K8S / "base")


@pytest.fixture(scope="session")
def installation():
    return render(K8S / "overlays" / "dev")
