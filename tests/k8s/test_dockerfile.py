"""One Dockerfile makes the image of every service."""

import re
import tomllib
from pathlib import Path

import pytest

from k8s.check.pods import pods
from tests.k8s.installations import SETTINGS, container, resource

PROJECT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def stages():
    """Instructions of each named stage; the last one, which has no name, under ''."""
    found, name = {}, None
    for line in PROJECT.joinpath("Dockerfile").read_text().splitlines():
        if line.startswith("FROM "):
            name = line.partition(" AS ")[2]
            found[name] = [line]
        elif name is not None and line and not line.startswith("#"):
            found[name].append(line)
    return found


@pytest.mark.parametrize("name", SETTINGS)
def test_every_service_has_a_stage_that_runs_it(stages, name):
    assert stages[f"service-{name}"][-1] == f'CMD ["services.{name}"]'
    assert PROJECT.joinpath("services", name, "__main__.py").is_file()


def test_every_image_of_ours_is_one_that_the_dockerfile_makes(installation, stages):
    images = {pod.containers[0]["image"].partition(":")[0] for pod in pods(installation)}
    assert {image.removeprefix("zhiyin-") for image in images if image.startswith("zhiyin-")} == set(SETTINGS)
    assert {f"service-{name}" for name in SETTINGS} <= stages.keys()


@pytest.mark.parametrize("name", SETTINGS)
def test_every_pod_runs_what_its_image_runs_by_itself(installation, stages, name):
    args = container(installation, "Deployment", name)["args"]
    assert stages[f"service-{name}"][-1] == f'CMD ["{args[0]}"]'


def test_the_packages_of_an_image_are_those_of_the_extra_of_its_service(stages):
    extras = tomllib.loads(PROJECT.joinpath("pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert set(SETTINGS) <= extras.keys()
    assert 'RUN /opt/zhiyin/bin/pip install ".[${SERVICE}]"' in stages["packages"]
    assert any("PIP_CONSTRAINT=/source/requirements.lock" in line for line in stages["packages"])


def test_the_image_runs_as_the_user_of_the_manifests(installation, stages):
    assert stages[""] == ["FROM service-${SERVICE}", "USER 10001:10001"]
    for name in SETTINGS:
        context = resource(installation, "Deployment", name)["spec"]["template"]["spec"]["securityContext"]
        assert (context["runAsUser"], context["runAsGroup"]) == (10001, 10001)


def test_everything_that_is_copied_is_let_through_and_nothing_else(stages):
    ignored = PROJECT.joinpath(".dockerignore").read_text().splitlines()
    copied = [source for line in stages["packages"] if line.startswith("COPY ") for source in line.split()[1:-1]]
    assert ignored[1] == "*"
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == set(copied)
    assert all(PROJECT.joinpath(source).exists() for source in copied)


def test_no_registry_is_named(stages):
    sources = [line.split()[1] for lines in stages.values() for line in lines if line.startswith("FROM ")]
    assert not [source for source in sources if re.search(r"\w\.\w+/", source)]
