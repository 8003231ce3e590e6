"""A directory that is either absent or complete."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path


def written_once(target: Path, write: Callable[[Path], None]) -> Path:
    """`target`, filled by `write` if it is not there yet.

    `write` fills a directory beside it that is then renamed. Of two processes that race one wins, the other throws
    its own away and uses the winner's; one that is killed leaves nothing under the name `target`.

    Raises:
        OSError: the directory cannot be written.
    """
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        write(draft)
        draft.chmod(0o755)
        draft.rename(target)
    except OSError:
        if not target.is_dir():
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return target
