import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.contract.services import NAMES, methods, path

ROOT = Path(__file__).parents[2]


def test_the_vendored_proto_is_the_one_of_the_package():
    package = Path(next(iter(find_spec("google.type").submodule_search_locations)))
    vendored = ROOT / "third_party/googleapis/google/type/money.proto"
    assert vendored.read_text() == (package / "money.proto").read_text()


@pytest.mark.parametrize(("name", "method"), methods(), ids=lambda value: getattr(value, "name", value))
def test_every_rpc_has_its_own_request_and_response_and_a_line_in_the_services_readme(name, method):
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"
    assert f"`{method.name}`" in (ROOT / "services" / name / "README.md").read_text()


def test_every_method_that_one_service_calls_on_another_exists():
    known = {path(method) for _, method in methods()}
    for source in (ROOT / "services").rglob("adapters/*.py"):
        text = source.read_text()
        bases = re.findall(r'"(/zhiyin\.[a-z]+\.v1\.\w+Service)"', text)
        called = re.findall(r'"(/zhiyin\.[a-z]+\.v1\.\w+/\w+)"', text)
        called += [f"{base}/{method}" for base in bases for method in re.findall(r'f"\{_?SERVICE\}/(\w+)"', text)]
        assert set(called) <= known, source


@pytest.mark.parametrize("name", NAMES)
def test_every_service_starts_from_the_common_bootstrap_in_twenty_lines(name):
    lines = (ROOT / "services" / name / "__main__.py").read_text().splitlines()
    assert len(lines) <= 20
    assert any("services.common.server import run" in line for line in lines)


def test_no_code_names_a_registry_or_hub():
    hosts = re.compile(r"(pypi\.org|pythonhosted|huggingface\.co|hf\.co|modelscope|mirrors?\.)")
    for folder in ("services", "local", "cli", "benchmarks"):
        for source in (ROOT / folder).rglob("*.py"):
            assert not hosts.search(source.read_text()), source
