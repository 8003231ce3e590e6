"""Each service runs with its own extra: what it imports is what the extra brings."""

import subprocess
import sys

import pytest

HEAVY = {
    "alembic",
    "asyncpg",
    "itsdangerous",
    "numpy",
    "pyarrow",
    "qdrant_client",
    "sqlalchemy",
    "torch",
    "transformers",
    "typer",
}
OWN = {
    "encoder": {"numpy", "torch", "transformers"},
    "retrieval": {"asyncpg", "numpy", "qdrant_client"},
    "ranker": {"numpy"},
    "feedback": {"asyncpg"},
    "gateway": {"itsdangerous"},
}


@pytest.mark.parametrize("name", OWN)
def test_a_service_imports_no_heavy_package_of_another(name):
    program = f"import sys, services.{name}.wiring; print(*sorted({{m.partition('.')[0] for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    imported = set(done.stdout.split()) & HEAVY
    assert imported - OWN[name] == set()
