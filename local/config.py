"""Settings of the one-machine stack."""

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]


def default_directory() -> Path:
    """Where data goes. Not root's home: Postgres runs as another user then and has to get there."""
    return Path("/var/lib/zhiyin") if os.geteuid() == 0 else Path.home() / ".local/share/zhiyin"


class StackSettings(BaseSettings):
    """What the stack can be told. A port that is taken is replaced by a free one unless it was set."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    data_dir: Path = Field(
        default_factory=default_directory,
        description="Directory of all data, logs and secrets; ~/.local/share/zhiyin, for root /var/lib/zhiyin.",
    )
    gateway_port: Port = Field(50050, description="Port of the gateway; 0 = a free one, as for all ports.")
    encoder_port: Port = Field(50051, description="Port of the encoder.")
    retrieval_port: Port = Field(50052, description="Port of retrieval.")
    ranker_port: Port = Field(50053, description="Port of the ranker.")
    feedback_port: Port = Field(50054, description="Port of feedback.")
    qdrant_port: Port = Field(6334, description="Port of the embedded Qdrant engine.")
    postgres_port: Port = Field(54329, description="Port of the embedded Postgres.")
    spans_port: Port = Field(4317, description="Port of the span receiver.")

    database_url: SecretStr | None = Field(
        None,
        description="Postgres server to use instead of the embedded one, with a role that may create roles and "
        "databases; `postgresql://user:password@host:port/database`.",
    )
    separate_postgres: bool = Field(
        default=False, description="One embedded Postgres for each owner of data instead of one for all."
    )
    qdrant_url: str | None = Field(None, description="host:port of a Qdrant server to use instead of the embedded one.")
    otlp_endpoint: str | None = Field(
        None,
        validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT",
        description="Collector for traces and metrics instead of the span receiver, `http://host:4317`.",
    )
    encoder_model: str | None = Field(None, description="Model of the encoder; absent = multilingual-e5-small.")

    local_exact_points: Annotated[int, Field(gt=0)] = Field(
        50_000, description="Points up to which the embedded Qdrant engine searches exactly; above, through graphs."
    )
    kept_spans: Annotated[int, Field(gt=0)] = Field(20_000, description="Spans that the receiver keeps.")
    start_seconds: Seconds = Field(180.0, description="Time that a service may take until it serves.")
    replay_seconds: Seconds = Field(
        3_600.0, description="Time that erasures may take which a restored database does not know of."
    )
    stop_seconds: Seconds = Field(15.0, description="Time that a process may take to drain before it is killed.")
    restart_pause_seconds: Seconds = Field(
        1.0, description="Pause before a process that died is started again; doubles with every death, to a minute."
    )
