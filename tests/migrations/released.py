"""What was released of each service's migrations. `python -m tests.migrations.released` freezes what is there now."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory

SERVICES = Path(__file__).parents[2] / "services"


@dataclass(frozen=True)
class Release:
    """The migrations that installations out there have run, and where they stopped."""

    head: str
    scripts: dict[str, str]
    """SHA-256 by name of the file."""


def migrations() -> dict[str, Path]:
    """The migrations of each service that has a schema."""
    return {path.parent.name: path for path in sorted(SERVICES.glob("*/migrations"))}


def released(directory: Path) -> Release:
    """What is frozen of a service's migrations."""
    return Release(**json.loads((directory / "released.json").read_text(encoding="ascii")))


def contractions(directory: Path) -> dict[str, str]:
    """What the release before cannot live with although it was decided so, and why."""
    path = directory / "contractions.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def freeze(directory: Path) -> None:
    """Makes the migrations that are there now the released ones."""
    head = ScriptDirectory(str(directory)).get_current_head()
    scripts = {script.name: digest(script) for script in sorted((directory / "versions").glob("*.py"))}
    note = json.dumps({"head": head, "scripts": scripts}, indent=2)
    (directory / "released.json").write_text(note + "\n", encoding="ascii")
    (directory / "contractions.json").unlink(missing_ok=True)


def digest(script: Path) -> str:
    """SHA-256 of a file, in hex."""
    return hashlib.sha256(script.read_bytes()).hexdigest()


if __name__ == "__main__":
    for path in migrations().values():
        freeze(path)
