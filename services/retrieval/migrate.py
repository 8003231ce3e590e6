"""`python -m services.retrieval.migrate`: brings the catalogue's schema up to date."""

from pathlib import Path

from services.common.migrations import MigrationSettings, migrate
from services.common.settings import load_or_exit

DIRECTORY = Path(__file__).parent / "migrations"

if __name__ == "__main__":
    migrate(DIRECTORY, load_or_exit(MigrationSettings))
