"""Settings: read once from the environment, frozen, every bad value reported at once.

A field is set by the variable `ZHIYIN_<FIELD>`; the one exception is OpenTelemetry's own standard variable. Only
`__main__` modules call `load`.
"""

import sys
from typing import Annotated, TypeVar

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

S = TypeVar("S", bound=BaseSettings)
Seconds = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


class SettingsError(Exception):
    """One or more settings are missing or out of range; the message lists all of them."""


class TransportSettings(BaseSettings):
    """How this process speaks gRPC, as a server and as a client."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    max_message_bytes: Count = Field(
        32 * 1024 * 1024,
        description="Largest message accepted or sent, in bytes, on every server and channel.",
    )
    keepalive_seconds: Seconds = Field(30.0, description="Idle time after which a connection is probed.")
    reconnect_backoff_seconds: Seconds = Field(
        1.0, description="Longest pause between two attempts to reach a peer that is away."
    )
    tls_certificate_file: str | None = Field(
        None,
        description="PEM chain of this process. Set with the key and the authority for mutual TLS; absent = plaintext.",
    )
    tls_key_file: str | None = Field(None, description="PEM private key of this process.")
    tls_authority_file: str | None = Field(None, description="PEM certificates that peers are verified with.")


class ServiceSettings(TransportSettings):
    """What every service can be told. Each service adds its own fields in its `config.py`."""

    bind: str = Field("127.0.0.1:0", description="Host and port to listen on; port 0 = any free one.")
    default_deadline_seconds: Seconds = Field(5.0, description="Time that a call gets whose caller set no deadline.")
    max_deadline_seconds: Seconds = Field(120.0, description="Longest time that a caller may ask for.")
    max_concurrent_calls: Count = Field(
        1024, description="Calls in progress at most; further ones are RESOURCE_EXHAUSTED."
    )
    max_connection_age_seconds: Seconds = Field(
        300.0,
        description="Age after which a connection is renewed, so that clients find new replicas; gRPC adds 10% jitter.",
    )
    drain_seconds: Seconds = Field(10.0, description="Time that calls in progress get to finish after SIGTERM.")
    tls_health_bind: str | None = Field(
        None,
        description="Host and port of a plaintext listener that serves health only, for probes where TLS is on.",
    )
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$", description="Lowest level that is logged.")
    otlp_endpoint: str | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Collector for traces and metrics, `http://host:4317`; absent = nothing is exported.",
    )
    trace_sample_ratio: float = Field(
        1.0,
        ge=0,
        le=1,
        description="Share of traces that begin here and are recorded; a caller's decision is followed.",
    )
    metric_export_seconds: Seconds = Field(15.0, description="Time between two exports of metrics.")


class SigningSettings(BaseSettings):
    """Keys of tokens. Kept apart so that only the services that sign are given them."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    signing_key: SecretStr = Field(
        min_length=32,
        description="Key that signs page and attribution tokens; at least 32 characters, the same on every replica.",
    )
    previous_signing_key: SecretStr | None = Field(
        None, min_length=32, description="Key before the last rotation; still verified, never used to sign."
    )


def load(settings_class: type[S]) -> S:
    """Reads the environment.

    Raises:
        SettingsError: lists every variable that is missing or out of range, without its value: it may be a secret.
    """
    try:
        return settings_class()
    except ValidationError as exc:
        raise SettingsError(_report(settings_class, exc)) from None


def load_or_exit(settings_class: type[S]) -> S:
    """As `load`; prints the report to standard error and ends the process with status 2."""
    try:
        return load(settings_class)
    except SettingsError as exc:
        sys.stderr.write(f"{exc}\n")
        raise SystemExit(2) from None


def _report(settings_class: type[BaseSettings], exc: ValidationError) -> str:
    lines = ["these settings are missing or out of range:"]
    for error in exc.errors(include_input=False, include_url=False):
        field = str(error["loc"][0]) if error["loc"] else ""
        lines.append(f"  {_variable(settings_class, field)}: {error['msg']}")
    return "\n".join(lines)


def _variable(settings_class: type[BaseSettings], field: str) -> str:
    if field not in settings_class.model_fields:
        return field.upper() if field.isupper() or not field else f"ZHIYIN_{field.upper()}"
    alias = settings_class.model_fields[field].validation_alias
    return alias if isinstance(alias, str) else f"ZHIYIN_{field.upper()}"
