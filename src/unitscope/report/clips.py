"""Clips on a terminal: where a unit is highest and lowest, a middling value, a word of its concept that it misses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderableType
from rich.text import Text

from unitscope.atlas import Row
from unitscope.report.plain import clean, number
from unitscope.report.terminal import heading
from unitscope.report.wording import of_grid
from unitscope.sites import ITEM

WINDOW = 60
Word = tuple[str, float | None]
"""A word as it stands in its text, with the blank behind it, and the unit's value there."""


def shown(view: Row, *, falls: bool, top: int) -> list[RenderableType]:
    """Clips of a unit, kind by kind. `falls`: the unit detects at the lower end of its scale."""
    by_kind: dict[str, list[Row]] = {}
    for row in view["clips"]:
        by_kind.setdefault(row["kind"], []).append(row)
    upper, lower = view["threshold_upper"], view["threshold_lower"]
    parts: list[RenderableType] = []
    if "top" in by_kind:
        parts += [heading("Where it is highest"), Sites(by_kind["top"][:top], upper)]
    if falls and "low" in by_kind:
        parts += [heading("Where it is lowest"), Sites(by_kind["low"][:top], lower, falls=True)]
    if "band" in by_kind:
        sites = Sites(_of_each_band(by_kind["band"], max(1, top // 3)), lower if falls else upper, falls=falls)
        parts += [heading("Drawn from bands of its values, in quantiles"), sites]
    if "random" in by_kind:
        parts += [
            heading(f"Drawn from all {of_grid(view.get('grid', 'source')).sites}"),
            Sites(by_kind["random"][:top], lower if falls else upper, falls=falls),
        ]
    if "missed" in by_kind:
        end = "at or above" if falls else "at or below"
        what = f"{clean(by_kind['missed'][0]['concept'])} with the unit {end} its median"
        parts += [heading(what), Sites(by_kind["missed"][:top], lower if falls else upper, falls=falls)]
    return parts


def _of_each_band(rows: Sequence[Row], n: int) -> list[Row]:
    """The first `n` clips of each band."""
    bands: dict[float, list[Row]] = {}
    for row in rows:
        bands.setdefault(row["low_quantile"], []).append(row)
    return [row for band in bands.values() for row in band[:n]]


@dataclass(frozen=True)
class Sites:
    """Words in as much context as the line holds, the item's id behind where there is room.

    Words at which the unit is beyond `threshold` are underlined.
    """

    rows: Sequence[Row]
    threshold: float | None = None
    falls: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """One line a site."""
        for row in self.rows:
            yield site(row, options.max_width, self.threshold, falls=self.falls)


def site(row: Row, width: int, threshold: float | None = None, *, falls: bool = False) -> Text:
    """One site in its context, in at most `width` cells where the word itself fits."""
    text = Text(f"{_band(row)}{number(row['value']):>8}  ")
    if row.get("grid") == ITEM or row["words"] is None:
        text.append_text(_first(_whole(row), width - text.cell_len))
        return text
    at = row["position"] - row["first"]
    words = context(row)
    body = words[at][0].rstrip()
    word, item = f"«{body}»", f"  ({clean(row['id'])})"
    room = max(0, width - text.cell_len - cell_len(word))
    before = _line(words[:at], threshold, falls)
    after = Text(words[at][0][len(body) :]) + _line(words[at + 1 :], threshold, falls)
    left = _last(before, max(room // 2, room - after.cell_len))
    text.append_text(left)
    text.append(word, style="bold reverse")
    text.append_text(_first(after, room - left.cell_len))
    if text.cell_len + cell_len(item) <= width:
        text.append(item, style="dim")
    return text


def _whole(row: Row) -> Text:
    """A cell of an image, or an item as a whole: its name, and how its text begins."""
    if row.get("columns"):
        down, across = divmod(row["position"], row["columns"])
        return Text(f"{clean(row['id'])}, row {down + 1} of {row['rows']}, column {across + 1} of {row['columns']}")
    text = Text(f"{clean(row['id'])}", style="dim" if row["words"] else "")
    if row["words"]:
        pairs = zip(row["words"][:WINDOW], row["spaces"][:WINDOW], strict=True)
        text.append("  " + clean("".join(word + " " * space for word, space in pairs)), style="not dim")
    return text


def context(row: Row) -> list[Word]:
    """The words that a clip shows with the unit's values, each with a blank behind it where its text has one.

    Words left out before or behind are an ellipsis on the first or last.
    """
    first, stop = row["first"], row["first"] + len(row["values"])
    words = [clean(word) + " " * space for word, space in zip(row["words"][first:stop], row["spaces"][first:stop])]
    if words and first > 0:
        words[0] = f"… {words[0]}"
    if words and stop < len(row["words"]):
        words[-1] = f"{words[-1]} …"
    return list(zip(words, row["values"], strict=True))


def _band(row: Row) -> str:
    if row["kind"] != "band":
        return ""
    limits = f"{row['low_quantile']:g}-{row['high_quantile']:g}"
    return f"{limits.replace('0.', '.'):>7} "


def _line(words: Sequence[Word], threshold: float | None, falls: bool) -> Text:
    """Words in a line, those beyond the threshold underlined."""
    text = Text()
    for word, value in words:
        beyond = value is not None and threshold is not None and (value < threshold if falls else value > threshold)
        body = word.rstrip()
        text.append(body, style="underline" if beyond else "")
        text.append(word[len(body) :])
    return text


def _first(text: Text, room: int) -> Text:
    if text.cell_len <= room:
        return text
    if room <= 0:
        return Text()
    kept = len(set_cell_size(text.plain, room - 1).rstrip(" ")) if room > 1 else 0
    return text[:kept] + Text("…")


def _last(text: Text, room: int) -> Text:
    if text.cell_len <= room:
        return text
    if room <= 0:
        return Text()
    plain, start = text.plain, 0
    size = text.cell_len
    while size > room - 1:
        size -= cell_len(plain[start])
        start += 1
    return Text("…") + text[start:]
