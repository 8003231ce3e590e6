"""Rows of tables with tabs, as programs write them: with quotes around cells, with none, with empty cells left out."""

from collections.abc import Sequence


def unquoted_row(lines: Sequence[str], cells: list[str] | None, width: int) -> list[str] | None:
    """The first of some lines as a row in which quotes are signs as any other; None where they are quotes.

    They are not where the lines cannot be read otherwise, or where a pair of quotes joins lines each of which is a row.

    Args:
        lines: the lines that were taken for one row.
        cells: what they hold if quotes are quotes; None where that cannot be read.
        width: number of cells of a row.
    """
    if not any('"' in line for line in lines):
        return None
    rows = [without_surplus(line.rstrip("\r\n").split("\t"), width) for line in lines]
    are_rows = all(len(row) == width for row in rows)
    if cells is not None and len(without_surplus(cells, width)) == width and not (are_rows and len(rows) > 1):
        return None
    # A line without a tab goes on with a cell of the line before it.
    is_row = len(rows[0]) == width and all(len(row) > 1 for row in rows[1:])
    return rows[0] if is_row else None


def padded_row(lines: Sequence[str], cells: list[str], width: int) -> list[str]:
    """A row with the empty cells at its end that were left out.

    Not the last one without an end of its line, which may be cut off, and none with tabs inside of quotes, which may
    not have been meant as quotes.
    """
    text = "".join(lines)
    is_whole = text.endswith(("\n", "\r")) and text.count("\t") + 1 == len(cells)
    return [*cells, *[""] * (width - len(cells))] if is_whole else cells


def without_surplus(cells: Sequence[str], width: int) -> list[str]:
    """A row without blank cells beyond its width."""
    kept = list(cells)
    while len(kept) > width and not kept[-1].strip():
        kept.pop()
    return kept
