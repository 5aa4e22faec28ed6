"""Tables that stay readable at any width: nothing is cut off.

A `Listing` is a table where it fits, else one paragraph a row with every value labelled. A `Counts` table, all of
whose columns but the first are narrow, is split into several that repeat the first column.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from unitscope.report.plain import NOTHING

_GAP, _INDENT = 2, 4
_DOT = " · "
_LEAST_FREE = 24


@dataclass(frozen=True)
class Column:
    """A column: its heading, the label of its values in paragraphs, and whether they are text (else numbers).

    A `lead` column heads a paragraph; `free` text may be wrapped in a table, to no less than 24 cells.
    """

    heading: str
    label: str = ""
    text: bool = False
    lead: bool = False
    free: bool = False


@dataclass(frozen=True)
class Listing:
    """Rows of strings, which are shown as they are."""

    columns: Sequence[Column]
    rows: Sequence[Sequence[str]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """As a table where all columns fit, else as paragraphs."""
        widths = [
            min(_LEAST_FREE, width) if column.free else width
            for column, width in zip(self.columns, _widths([c.heading for c in self.columns], self.rows), strict=True)
        ]
        if sum(widths) + _GAP * (len(widths) - 1) <= options.max_width:
            yield _table(self.columns, self.rows)
        else:
            yield from self._paragraphs(options.max_width)

    def _paragraphs(self, width: int) -> Iterator[RenderableType]:
        for row in self.rows:
            cells = list(zip(self.columns, row, strict=True))
            head = "  ".join(cell for column, cell in cells if column.lead and cell)
            rest = [
                f"{column.label} {cell}".strip()
                for column, cell in cells
                if not column.lead and cell not in ("", NOTHING)
            ]
            yield Text(head, style="bold")
            for line in _packed(rest, width - _INDENT):
                yield Text(f"{' ' * _INDENT}{line}")


def _packed(pieces: Sequence[str], width: int) -> list[str]:
    """Pieces joined into lines of at most `width` cells, so that no number is parted from its label."""
    lines: list[str] = []
    for piece in pieces:
        if lines and cell_len(lines[-1]) + cell_len(_DOT) + cell_len(piece) <= width:
            lines[-1] += f"{_DOT}{piece}"
        else:
            lines.append(piece)
    return lines


@dataclass(frozen=True)
class Counts:
    """A table of narrow columns behind a first one, split where it is too wide."""

    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[str] = ()
    """Headings of further columns that hold text; others are flush right."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """One table, or several with the first column repeated."""
        widths = _widths(self.headings, self.rows)
        groups: list[list[int]] = [[]]
        for index in range(1, len(widths)):
            used = widths[0] + sum(widths[i] + _GAP for i in groups[-1])
            if groups[-1] and used + _GAP + widths[index] > options.max_width:
                groups.append([])
            groups[-1].append(index)
        for number, group in enumerate(groups):
            if number:
                yield Text("")
            columns = [
                Column(self.headings[0], text=True),
                *(Column(self.headings[i], text=self.headings[i] in self.texts) for i in group),
            ]
            yield _table(columns, [[row[0], *(row[i] for i in group)] for row in self.rows])


def _widths(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(cell_len, column)) for column in zip(headings, *rows, strict=True)]


def _table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(
        box=box.SIMPLE_HEAD, show_edge=False, padding=(0, _GAP - 1, 0, 0), pad_edge=False, header_style="bold"
    )
    for column in columns:
        table.add_column(
            Text(column.heading),
            justify="left" if column.text else "right",
            overflow="fold",
            no_wrap=not column.free and not column.text,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
