"""Which encoding a file of text is in.

It is never guessed silently. A byte order mark or valid UTF-8 decides; otherwise the bytes have to fit one reading only
among the encodings that shops use, and the import says which. Where they fit several, the file is read as UTF-8, rows
with other bytes are refused, and the hint names the candidates.
"""

import codecs
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

from charset_normalizer import from_bytes

from cli.rows import FileError

SAMPLE_BYTES: Final = 256 * 1024
_CHUNK: Final = 1024 * 1024
_MARKS: Final = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_CANDIDATES: Final = ("gb18030", "big5", "shift_jis", "euc_jp", "euc_kr", "cp1252", "cp1250", "cp1251")
_PARTS_OF_CHARACTERS: Final = bytes(range(0x30, 0x100))
"""In all candidates a byte below these is a character of its own."""
_EVIDENCE_BYTES: Final = 32
"""Fewer bytes beyond ASCII fit too many encodings."""
_MESS: Final = 0.1
"""How much messier (charset-normalizer's chaos, 0 to 1) a second reading has to be to be dismissed."""
_MULTI_BYTE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a file's bytes are read."""

    name: str
    """A codec of Python."""
    hint: str = ""
    """What a person has to know about it."""

    @property
    def errors(self) -> str:
        """Handler of bytes that do not belong: each spoils its own row only."""
        return "replace" if self.name.startswith(("utf-16", "utf-32")) else "surrogateescape"


def encoding_of(path: Path, insisted: str | None) -> Encoding:
    """The encoding of a file.

    Raises:
        FileError: `insisted` names none, or the file cannot be read.
    """
    sample = sample_of(path)
    known = encoding_of_sample(sample, insisted)
    return known if known is not None else _guessed(path, sample)


def encoding_of_sample(sample: bytes, insisted: str | None) -> Encoding | None:
    """The encoding of a file that begins with `sample`; None where that takes a guess.

    Raises:
        FileError: `insisted` names none.
    """
    if insisted is not None:
        return _named(insisted)
    for mark, name in _MARKS.items():
        if sample.startswith(mark):
            return Encoding(name)
    if zeros := _utf16_without_mark(sample):
        return Encoding(zeros, f"read as {zeros}, which has no byte order mark")
    if _is_utf8(sample) or _is_damaged_utf8(sample):
        return Encoding("utf-8")
    return None


def sample_of(path: Path) -> bytes:
    """The first bytes of a file.

    Raises:
        FileError: it cannot be read.
    """
    with reading(path), path.open("rb") as file:
        return file.read(SAMPLE_BYTES)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Errors of the file system, and of bytes that no handler of errors accepts, as FileError."""
    try:
        yield
    except OSError as exc:
        raise FileError(f"{path}: {exc.strerror or exc}") from exc
    except UnicodeError:
        raise FileError(f"{path}: not text of that encoding; name the right one with --encoding") from None


def _named(name: str) -> Encoding:
    try:
        "".encode(name)
        found = codecs.lookup(name).name
    except (LookupError, ValueError):
        raise FileError("--encoding: no encoding of that name; examples are utf-8, cp1252, gb18030") from None
    return Encoding("utf-8-sig" if found == "utf-8" else found)


def _utf16_without_mark(sample: bytes) -> str:
    """Markup and names of columns are ASCII, every other byte of which is zero in UTF-16."""
    head = sample[:8]
    if len(head) == 8 and not any(head[1::2]) and all(head[::2]):
        return "utf-16-le"
    if len(head) == 8 and not any(head[::2]) and all(head[1::2]):
        return "utf-16-be"
    return ""


def _is_utf8(sample: bytes) -> bool:
    """Whether bytes, possibly cut in the middle of a character, are UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _is_damaged_utf8(sample: bytes) -> bool:
    """Other encodings have a few sequences of bytes that UTF-8 has too, but never nine in ten."""
    strange = sum(byte > 0x7F for byte in _MULTI_BYTE.sub(b"", sample))
    return 10 * strange < sum(byte > 0x7F for byte in sample)


def _guessed(path: Path, sample: bytes) -> Encoding:
    if sum(byte > 0x7F for byte in sample) < _EVIDENCE_BYTES:
        return Encoding("utf-8", "some bytes are not UTF-8; --encoding names another encoding")
    is_cut = len(sample) == SAMPLE_BYTES
    # A character that the end of the sample cuts in two is an error in the encoding that the file is in.
    names = _close_readings((sample.rstrip(_PARTS_OF_CHARACTERS) or sample) if is_cut else sample)
    texts = _readings(path, names) if len(names) > 1 else dict.fromkeys(names, b"")
    if len({*texts.values()}) == 1:
        (name, *_) = texts
        return Encoding(name, f"not UTF-8; read as {name}, --encoding names another one")
    shown = " or ".join(sorted(texts or names)) or "no encoding that is known here"
    return Encoding("utf-8", f"not UTF-8 throughout, it may be {shown}: name the encoding with --encoding")


def _close_readings(sample: bytes) -> list[str]:
    """The encodings that a sample may well be in, the likeliest first."""
    matches = list(from_bytes(sample, cp_isolation=list(_CANDIDATES)))
    close = [match for match in matches if match.chaos <= matches[0].chaos + _MESS]
    texts = dict.fromkeys(str(match) for match in close)
    # The library lists one encoding only of those that have the same reading of a sample.
    return [name for text in texts for name in _CANDIDATES if _read(sample, name) == text]


def _read(sample: bytes, name: str) -> str | None:
    try:
        return sample.decode(name)
    except UnicodeDecodeError:
        return None


def _readings(path: Path, names: Sequence[str]) -> dict[str, bytes]:
    """A hash of the whole file's text in each encoding that can read it: the sample may hold too little to differ."""
    decoders = {name: codecs.getincrementaldecoder(name)() for name in names}
    texts = {name: blake2b() for name in names}
    with reading(path), path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            for name in list(texts):
                try:
                    texts[name].update(decoders[name].decode(chunk).encode("utf-8", "surrogatepass"))
                except UnicodeDecodeError:
                    del texts[name]
    return {name: text.digest() for name, text in texts.items()}
