"""Settings of backups and restores."""

from pathlib import Path
from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Seconds = Annotated[float, Field(gt=0)]


class BackupSettings(BaseSettings):
    """What backups and restores can be told."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    backup_slot: str = Field(
        "zhiyin_archive",
        pattern="^[a-z0-9_]{1,63}$",
        description="Replication slot that keeps WAL on the server until the archive has it; one per archive.",
    )
    backup_programs: Path | None = Field(
        None,
        description="Folder of the client programs to use instead of the wheel's, which have no TLS; "
        "`/usr/lib/postgresql/18/bin` for one.",
    )
    backup_seconds: Seconds = Field(21_600.0, description="Longest time of one base backup.")
    backup_retry_seconds: Seconds = Field(
        5.0, description="Pause before the archive connects again after the server went away."
    )
    restore_seconds: Seconds = Field(21_600.0, description="Longest time that replaying WAL may take in a restore.")
    verify_seconds: Seconds = Field(
        21_600.0, description="Longest time of one check of all files, of a backup or of what was restored."
    )
