"""Brings a service's schema up to date with Alembic.

Run as `python -m services.<name>.migrate`; in production as a Job, before the new version starts.
"""

from pathlib import Path

from alembic import command
from alembic.config import Config
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict


class MigrationSettings(BaseSettings):
    """What a migration needs; it reads nothing else."""

    model_config = SettingsConfigDict(env_prefix="ZHIYIN_", frozen=True, extra="ignore")

    database_url: SecretStr = Field(description="As in the service's own settings.")


def migrate(directory: Path, settings: MigrationSettings, revision: str = "head") -> None:
    """Applies all migrations of `directory` that the database lacks; does nothing when there are none.

    Two at once are safe: the second waits for the first (an advisory lock in `run_migrations`), also through a pooler.
    """
    config = Config()
    config.set_main_option("script_location", str(directory))
    config.attributes["database_url"] = settings.database_url.get_secret_value()
    command.upgrade(config, revision)
