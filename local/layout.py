"""Who listens where, and what each process is told."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local.config import StackSettings
from local.processes import LocalError, free_port, is_free

PROJECT = Path(__file__).parents[1]
SERVICES = ("encoder", "feedback", "ranker", "retrieval", "gateway")
GENERATED_KEYS = {"gateway": "signing_key", "feedback": "visitor_key"}
"""Secret of a service that is made where the operator sets none."""
ERASURE_LOG = "ZHIYIN_ERASURE_LOG"
"""Directory where feedback remembers whom it erased, outside of its database."""
KEYS = {
    "gateway": ("ZHIYIN_SIGNING_KEY", "ZHIYIN_PREVIOUS_SIGNING_KEY"),
    "feedback": ("ZHIYIN_VISITOR_KEY", "ZHIYIN_VISITOR_PREVIOUS_KEY"),
}
"""Variables of the keys of a service, the one in use first."""
OWN_VARIABLES = ("ZHIYIN_BIND", "ZHIYIN_DATABASE_URL", *KEYS["gateway"], *KEYS["feedback"])
"""Variables that one service is given, and that no other inherits."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """host:port of what listens."""

    services: Mapping[str, str]
    qdrant: str
    spans: str | None
    """None where a collector of the operator takes the spans."""
    otlp_endpoint: str
    """`http://host:port` of whatever takes the spans."""


def choose_addresses(settings: StackSettings) -> Addresses:
    """Takes the ports of the settings.

    Raises:
        LocalError: A port that was set is taken.
    """
    services = {name: loopback(choose_port(settings, f"{name}_port")) for name in SERVICES}
    qdrant = settings.qdrant_url or loopback(choose_port(settings, "qdrant_port"))
    if settings.otlp_endpoint is not None:
        return Addresses(services, qdrant, None, settings.otlp_endpoint)
    spans = loopback(choose_port(settings, "spans_port"))
    return Addresses(services, qdrant, spans, f"http://{spans}")


def choose_port(settings: StackSettings, field: str) -> int:
    """The port that a field names; a free one where it is 0, or a default that is taken.

    Raises:
        LocalError: It was set and is taken.
    """
    port: int = getattr(settings, field)
    if port == 0:
        return free_port()
    if is_free(port):
        return port
    if field in settings.model_fields_set:
        raise LocalError(f"port {port} of ZHIYIN_{field.upper()} is taken")
    return free_port()


def loopback(port: int) -> str:
    """Address of a port of this machine."""
    return f"127.0.0.1:{port}"


def port_of(address: str) -> int:
    """The port of host:port."""
    return int(address.rpartition(":")[2])


def shared_environment(given: Mapping[str, str], settings: StackSettings, addresses: Addresses) -> dict[str, str]:
    """What every process is told: the given environment without what is one service's own, and its peers."""
    environment = {name: value for name, value in given.items() if name not in OWN_VARIABLES}
    environment["PYTHONPATH"] = ":".join(filter(None, [str(PROJECT), given.get("PYTHONPATH")]))
    environment["PYTHONUNBUFFERED"] = "1"
    environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = addresses.otlp_endpoint
    environment["ZHIYIN_QDRANT_URL"] = addresses.qdrant
    if settings.encoder_model is not None:
        environment["ZHIYIN_ENCODER_MODEL"] = settings.encoder_model
    for name, address in addresses.services.items():
        environment[f"ZHIYIN_{name.upper()}_TARGET"] = f"dns:///{address}"
    return environment
