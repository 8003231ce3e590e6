"""How far the import of a file is: kept beside it, so that an import that was stopped goes on where it was."""

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from cli.events.lines import Place
from cli.rows import FileError

SUFFIX: Final = ".zhiyin-checkpoint"


class Checkpoint:
    """A small file of JSON. What stands in it has been answered, and only that."""

    def __init__(self, path: Path, purpose: Mapping[str, str]) -> None:
        """`purpose` says what the import is: format, catalogue, gateway. Another import does not go on here."""
        self.path = path
        self._purpose = dict(purpose)

    def place(self) -> Place | None:
        """Where an import of the same purpose got to; None where there was none."""
        try:
            kept: Any = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["purpose"] != self._purpose:
                return None
            return Place(int(kept["offset"]), int(kept["line"]), str(kept["digest"]))
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def keep(self, place: Place) -> None:
        """Everything up to there has been answered.

        Raises:
            FileError: it cannot be written.
        """
        content = {"purpose": self._purpose, "offset": place.offset, "line": place.line, "digest": place.digest}
        written = self.path.with_name(f"{self.path.name}.new")
        try:
            written.write_text(json.dumps(content), encoding="utf-8")
            written.replace(self.path)
        except OSError as exc:
            raise FileError(f"{self.path}: {exc.strerror}; name another place with --checkpoint") from exc

    def remove(self) -> None:
        """The import is through."""
        with suppress(FileNotFoundError):
            self.path.unlink()
