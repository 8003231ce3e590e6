import socket

import pytest

from local.assembly import assemble
from local.config import StackSettings
from local.processes import LocalError

PORTS = [f"{name}_port" for name in ("gateway", "encoder", "retrieval", "ranker", "feedback", "qdrant", "spans")]


@pytest.fixture
def free(stack_directory):
    """Settings with free ports; a test adds its own."""

    def settings(**fields) -> StackSettings:
        ports = dict.fromkeys([*PORTS, "postgres_port"], 0)
        return StackSettings(**{"data_dir": stack_directory, **ports} | fields)

    return settings


def test_every_service_is_told_where_it_listens_and_where_its_peers_are(free):
    assembly = assemble(free(), {"PATH": "/bin"})
    addresses = {name: part.address for name, part in assembly.parts.items()}
    assert list(addresses) == [
        "spans",
        "qdrant",
        "postgres",
        "encoder",
        "feedback",
        "ranker",
        "retrieval",
        "gateway",
    ]
    assert len(set(addresses.values())) == 8
    for name, environment in assembly.environments.items():
        assert environment["PATH"] == "/bin"
        assert environment["ZHIYIN_BIND"] == addresses[name]
        assert environment["ZHIYIN_ENCODER_TARGET"] == f"dns:///{addresses['encoder']}"
        assert environment["ZHIYIN_FEEDBACK_TARGET"] == f"dns:///{addresses['feedback']}"
        assert environment["ZHIYIN_QDRANT_URL"] == addresses["qdrant"]
        assert environment["OTEL_EXPORTER_OTLP_ENDPOINT"] == f"http://{addresses['spans']}"


def test_a_secret_reaches_the_service_that_owns_it_and_no_other(free):
    given = {"ZHIYIN_DATABASE_URL": "postgresql://other", "ZHIYIN_PREVIOUS_SIGNING_KEY": "p" * 32}
    given |= {"ZHIYIN_VISITOR_PREVIOUS_KEY": "v" * 32}
    environments = assemble(free(), given).environments

    def holders(variable: str) -> set[str]:
        return {name for name, environment in environments.items() if variable in environment}

    assert holders("ZHIYIN_SIGNING_KEY") == {"gateway"}
    assert holders("ZHIYIN_PREVIOUS_SIGNING_KEY") == {"gateway"}
    assert holders("ZHIYIN_VISITOR_KEY") == {"feedback"}
    assert holders("ZHIYIN_VISITOR_PREVIOUS_KEY") == {"feedback"}
    assert holders("ZHIYIN_DATABASE_URL") == {"retrieval", "feedback"}
    urls = {name: environments[name]["ZHIYIN_DATABASE_URL"] for name in ("retrieval", "feedback")}
    assert urls["retrieval"].startswith("postgresql://catalogue:")
    assert urls["feedback"].startswith("postgresql://feedback:")


def test_feedback_remembers_erasures_beside_its_database_or_where_the_operator_says(free, stack_directory):
    environments = assemble(free(), {}).environments
    assert environments["feedback"]["ZHIYIN_ERASURE_LOG"] == str(stack_directory / "erasures")
    assert "ZHIYIN_ERASURE_LOG" not in environments["gateway"]
    given = {"ZHIYIN_ERASURE_LOG": "/elsewhere"}
    assert assemble(free(), given).environments["feedback"]["ZHIYIN_ERASURE_LOG"] == "/elsewhere"


def test_generated_secrets_stay_and_the_operators_own_come_first(free):
    first = assemble(free(), {}).environments["gateway"]["ZHIYIN_SIGNING_KEY"]
    assert assemble(free(), {}).environments["gateway"]["ZHIYIN_SIGNING_KEY"] == first
    given = {"ZHIYIN_SIGNING_KEY": "k" * 32}
    assert assemble(free(), given).environments["gateway"]["ZHIYIN_SIGNING_KEY"] == "k" * 32


def test_what_the_operator_names_is_not_started(free):
    settings = free(
        database_url="postgresql://admin:secret@db.example:5432/postgres",
        qdrant_url="qdrant.example:6334",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.example:4317",
        encoder_model="some/model",
    )
    assembly = assemble(settings, {})
    assert set(assembly.parts) == {"encoder", "feedback", "ranker", "retrieval", "gateway"}
    retrieval = assembly.environments["retrieval"]
    assert retrieval["ZHIYIN_QDRANT_URL"] == "qdrant.example:6334"
    assert retrieval["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.example:4317"
    assert retrieval["ZHIYIN_DATABASE_URL"].endswith("@db.example:5432/catalogue")
    assert assembly.environments["encoder"]["ZHIYIN_ENCODER_MODEL"] == "some/model"


def test_each_owner_has_a_server_of_its_own_where_asked_for(free):
    assembly = assemble(free(separate_postgres=True), {})
    assert list(assembly.stores) == ["postgres-catalogue", "postgres-feedback"]
    for service, store in (("retrieval", "postgres-catalogue"), ("feedback", "postgres-feedback")):
        assert assembly.stores[store].address in assembly.environments[service]["ZHIYIN_DATABASE_URL"]


def test_a_taken_port_is_replaced_where_it_is_a_default_and_refused_where_it_was_set(free, stack_directory):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(LocalError, match="ZHIYIN_RANKER_PORT"):
            assemble(free(ranker_port=port), {})
        by_default = free().model_copy(update={"ranker_port": port})
        by_default.model_fields_set.discard("ranker_port")
        assert assemble(by_default, {}).services["ranker"].address != f"127.0.0.1:{port}"
