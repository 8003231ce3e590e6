"""Where output goes: results to stdout, everything about them to stderr, so that `--json` can be piped."""

import json
import sys
import unicodedata
from collections.abc import Mapping
from typing import Any, Final

from rich.console import Console
from rich.text import Text

WIDE: Final = 200
"""Columns where output goes to a file or a pipe; rich would cut tables at 80."""
RESULTS: Final = Console(width=None if sys.stdout.isatty() else WIDE)
NOTES: Final = Console(stderr=True)


def write_json(value: Mapping[str, Any]) -> None:
    """Prints one JSON object as one line on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(text: str, style: str = "") -> Text:
    """Text of a catalogue, shown as it is: no markup of rich and no control sequence of a terminal acts."""
    return Text("".join(" " if unicodedata.category(c) == "Cc" else c for c in text), style=style)


def note(text: str, style: str = "") -> None:
    """Tells the person at the terminal something that is not a result."""
    NOTES.print(Text(text, style=style), soft_wrap=True)
