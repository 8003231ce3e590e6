"""The lines of a table, kept while a row is read, and read again where the row turns out to be shorter."""

from collections import deque

from cli.feeds.text import Lines


class RecordedLines:
    """The lines that a reader of CSV takes, kept until they are asked for."""

    def __init__(self, lines: Lines) -> None:
        self.first = 1
        self._lines = lines
        self._taken: list[str] = []
        self._ahead: deque[str] = deque()

    def __iter__(self) -> "RecordedLines":
        return self

    def __next__(self) -> str:
        line = self.peek()
        self._ahead.popleft()
        if not line:
            raise StopIteration
        self._taken.append(line)
        return line

    def peek(self) -> str:
        """The next line, which stays; empty at the end."""
        if not self._ahead:
            self._ahead.append(self._lines.read())
        return self._ahead[0]

    def taken(self) -> list[str]:
        """The lines since the last call, as they stand in the file."""
        lines, self._taken = self._taken, []
        self.first = self._lines.number + 1 - len(self._ahead)
        return lines

    def put_back(self, lines: list[str]) -> None:
        """The last of the lines that were taken are read once more."""
        self._ahead.extendleft(reversed(lines))
        self.first = self._lines.number + 1 - len(self._ahead)


def text_of(lines: list[str]) -> str:
    """Lines with an end behind the last one."""
    text = "".join(lines)
    return text if not text or text.endswith(("\n", "\r")) else f"{text}\r\n"
