"""Clips: a unit's sites as token heat maps, or as images with the unit's region outlined.

A clip is plain text with its site marked, and the values of all shown sites beside it as data: the page's script turns
it into a heat map whose words can be asked for their values, and without scripts it is still readable. Notebooks get
the heat map at once. Colour runs from below to above the unit's centre and never speaks alone: sites below it are
underlined with dots, the site itself is framed, and every value can be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from unitscope.atlas import Row
from unitscope.report.plain import NOTHING, number
from unitscope.report.site.inert import inert

STEPS = 9
LONGEST_WORD = 60
_LAID = "laid out"
TITLES = {
    "top": "Where it is highest",
    "low": "Where it is lowest",
    "band": "Through its range",
    "random": "At random",
    "missed": "Missed",
}
NOTES = {
    "top": "The sites with the greatest values in the corpus, highest first. Tops flatter: see the other lists too.",
    "low": "The sites with the least values in the corpus, lowest first.",
    "band": "Drawn from bands of its values, in quantiles, strongest band first: what it does between its extremes.",
    "random": "Sites drawn at random from all: what it does most of the time.",
    "missed": (
        "Sites of the held-out half that have the concept, with the unit on the wrong side of its median: what the "
        "label leaves out."
    ),
}


@dataclass(frozen=True)
class Scale:
    """How values become colours: distance from `centre` over `reach`, in steps of a ninth."""

    centre: float
    reach: float

    @classmethod
    def of(cls, unit: Row) -> Scale:
        """Zero is the centre where the unit's values lie about it, else their mean."""
        mean, sd, least, greatest = (unit[name] or 0.0 for name in ("mean", "sd", "least", "greatest"))
        centre = 0.0 if abs(mean) <= sd and least <= 0 <= greatest else mean
        return cls(centre, max(greatest - centre, centre - least, 1e-12))

    def step(self, value: float | None) -> int:
        """Steps away from the centre, -9 to 9."""
        if value is None or not math.isfinite(value):
            return 0
        return max(-STEPS, min(STEPS, round(STEPS * (value - self.centre) / self.reach)))


def of_unit(rows: Sequence[Row], items: Mapping[tuple[str, int], Row], falls: bool) -> list[dict[str, Any]]:
    """A unit's clips in groups: kind, title, note, and clips by band or concept; the end it detects at comes first."""
    by_kind: dict[str, list[Row]] = {}
    for row in rows:
        item = items.get((row["grid"], row["item"]))
        if item is not None:
            by_kind.setdefault(row["kind"], []).append({**row, "shown": item})
    order = ["low", "top"] if falls else ["top", "low"]
    order += [kind for kind in TITLES if kind not in order]
    return [
        {
            "kind": kind,
            "title": TITLES[kind],
            "note": NOTES[kind],
            "below": kind == "low" or (falls and kind != "top"),
            "parts": _parts(kind, by_kind[kind], falls),
        }
        for kind in order
        if kind in by_kind
    ]


def _parts(kind: str, rows: Sequence[Row], falls: bool) -> list[dict[str, Any]]:
    """Clips of a kind under headings: bands from the end the unit detects at, misses by concept."""
    parts: dict[Any, list[Row]] = {}
    for row in rows:
        key = (row["low_quantile"], row["high_quantile"]) if kind == "band" else row["concept"]
        parts.setdefault(key, []).append(row)
    keys = sorted(parts, reverse=not falls) if kind == "band" else list(parts)
    return [
        {
            "band": key if kind == "band" else None,
            "concept": key if kind == "missed" else None,
            "clips": sorted(parts[key], key=lambda row: row["rank"]),
        }
        for key in keys
    ]


def is_image(clip: Row) -> bool:
    """Whether a clip's item is an image."""
    return bool(clip["shown"].get("image"))


@dataclass(frozen=True)
class _Laid:
    """An item's words made ready to be shown: as text, as markup, their lengths as scripts count, and blanks before."""

    words: list[str]
    markup: list[str]
    lengths: list[str]
    blanks: list[str]


def _laid_out(item: Row) -> _Laid:
    """Work an item's words out once; it is kept with the item, since clips of many units show it."""
    found = item.get(_LAID)
    if not isinstance(found, _Laid):
        words = [_short_word(inert(word)) for word in item["words"] or ()]
        spaces = item["spaces"] or []
        blanks = [" " if at and at <= len(spaces) and spaces[at - 1] else "" for at in range(len(words))]
        lengths = [f"{'+' if blank else ''}{_units16(word)}" for blank, word in zip(blanks, words, strict=True)]
        found = _Laid(words, [str(escape(word)) for word in words], lengths, blanks)
        item[_LAID] = found
    return found


def pieces(clip: Row) -> list[tuple[str, str, float | None, bool]]:
    """Words of a text clip: what stands before each, the word, its value, whether it is the clip's site."""
    laid, first = _laid_out(clip["shown"]), clip["first"]
    found = []
    for at, value in enumerate(clip["values"][: max(0, len(laid.words) - first)]):
        place = first + at
        known = value if value is not None and math.isfinite(value) else None
        found.append((laid.blanks[place] if at else "", laid.words[place], known, place == clip["position"]))
    return found


def _short_word(word: str) -> str:
    """A word that is too long to be one, cut with dots."""
    return word if len(word) <= LONGEST_WORD else f"{word[: LONGEST_WORD - 1]}…"


def cut(clip: Row) -> tuple[bool, bool]:
    """Whether the item goes on before and after what is shown."""
    return clip["first"] > 0, clip["first"] + len(clip["values"]) < len(clip["shown"]["words"] or ())


def text_clip(clip: Row) -> Markup:
    """A text clip as one paragraph with values as data, for pages with the site's script."""
    laid, first = _laid_out(clip["shown"]), clip["first"]
    known = clip["values"][: max(0, len(laid.words) - first)]
    stop = first + len(known)
    parts = [blank + word for blank, word in zip(laid.blanks[first:stop], laid.markup[first:stop], strict=True)]
    lengths = laid.lengths[first:stop]
    if parts:
        parts[0], lengths[0] = laid.markup[first], lengths[0].lstrip("+")
    site = clip["position"] - first
    if 0 <= site < len(parts):
        blank = laid.blanks[clip["position"]] if site else ""
        parts[site] = f"{blank}<mark>{laid.markup[clip['position']]}</mark>"
    before, after = cut(clip)
    more = f"{' data-b' if before else ''}{' data-a' if after else ''}"
    data = f'data-v="{_numbers(known)}" data-n="{" ".join(lengths)}"{more}'
    return Markup(f'<p class="words" dir="auto" {data}>{"".join(parts)}</p>')


def _numbers(values: Sequence[float | None]) -> str:
    """Values with three digits, blanks between, in few characters; `-` where there is none.

    >>> _numbers([0.5, -0.25, None, 10.0])
    '.5 -.25 - 10'
    """
    known = tuple(math.nan if value is None else value for value in values)
    text = (" %.3g" * len(known)) % known
    return text.replace(" 0.", " .").replace(" -0.", " -.").replace(" nan", " -").strip()


def heat_clip(clip: Row, scale: Scale) -> Markup:
    """A text clip as a heat map that needs no script, for notebooks."""
    before, after = cut(clip)
    shown = []
    for blank, word, value, here in pieces(clip):
        step = scale.step(value)
        kind = f"{'p' if step > 0 else 'n'}{abs(step)}" if step else "z"
        tag = "mark" if here else "i"
        shown.append(f'{blank}<{tag} class="{kind}" title="{escape(number(value))}">{escape(word)}</{tag}>')
    text = f"{'… ' if before else ''}{''.join(shown)}{' …' if after else ''}"
    return Markup(f'<p class="words" dir="auto">{text}</p>')


def _units16(text: str) -> int:
    """Length as scripts count it: in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def image_clip(clip: Row, threshold: float | None, below: bool, href: str) -> Markup:
    """An image with the unit's region outlined: cells beyond its threshold, and a frame at the clip's own cell."""
    item = clip["shown"]
    rows, columns = item["rows"] or 1, item["columns"] or 1
    on = _cells(clip, threshold, below, rows * columns)
    y, x = divmod(clip["position"], columns)
    n_on = sum(on)
    where = f"row {y + 1} of {rows}, column {x + 1} of {columns}"
    told = (
        f"{inert(item['id'])}: value {number(clip['value'])} at {where}; {n_on} of {rows * columns} cells beyond the "
        "threshold"
    )
    outline = region(on, rows, columns)
    dim = f'<path class="dim" fill-rule="evenodd" d="M0 0H{columns}V{rows}H0Z{outline}"/>' if n_on else ""
    return Markup(
        f'<span class="image"><img src="{escape(href)}" alt="{escape(told)}" loading="lazy" decoding="async">'
        f'<svg viewBox="0 0 {columns} {rows}" preserveAspectRatio="none" aria-hidden="true">{dim}'
        f'<path class="edge-back" d="{outline}"/><path class="edge" d="{outline}"/>'
        f'<rect class="site" x="{x}" y="{y}" width="1" height="1"/></svg></span>'
    )


def _cells(clip: Row, threshold: float | None, below: bool, n: int) -> list[bool]:
    """Which cells are beyond the threshold, [n]; cells without a value are not."""
    on = [False] * n
    for at, value in enumerate(clip["values"]):
        place = clip["first"] + at
        if threshold is not None and value is not None and place < n:
            on[place] = value < threshold if below else value > threshold
    return on


def region(on: Sequence[bool], rows: int, columns: int) -> str:
    """Closed outlines of a set of cells as an SVG path in units of cells; holes wind the other way.

    >>> region([True, False], 1, 2)
    'M0 0H1V1H0Z'
    """

    def held(y: int, x: int) -> bool:
        return 0 <= y < rows and 0 <= x < columns and on[y * columns + x]

    following: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for y in range(rows):
        for x in range(columns):
            if held(y, x):
                for outside, start, end in (
                    (held(y - 1, x), (x, y), (x + 1, y)),
                    (held(y, x + 1), (x + 1, y), (x + 1, y + 1)),
                    (held(y + 1, x), (x + 1, y + 1), (x, y + 1)),
                    (held(y, x - 1), (x, y + 1), (x, y)),
                ):
                    if not outside:
                        following.setdefault(start, []).append(end)
    path = []
    while following:
        start = next(iter(following))
        path.append(_outline(start, following))
    return "".join(path)


def _outline(start: tuple[int, int], following: dict[tuple[int, int], list[tuple[int, int]]]) -> str:
    """Follow edges from a corner until it is reached again, taking them out; straight runs become one step."""
    text, at, last = [f"M{start[0]} {start[1]}"], start, ""
    while at in following:
        there = following[at].pop()
        if not following[at]:
            del following[at]
        way = "H" if there[1] == at[1] else "V"
        step = f"{way}{there[0] if way == 'H' else there[1]}"
        if way == last:
            text[-1] = step
        else:
            text.append(step)
        at, last = there, way
        if at == start:
            break
    if len(text) > 1 and text[-1].startswith("V") and text[-1] == f"V{start[1]}":
        text.pop()
    return "".join(text) + "Z"


def listed(shown: Sequence[Row], unit: Row, below: bool, image_at: Callable[[str], str]) -> Markup:
    """Clips as entries of a list: value, text or image, and where it is from. `below`: the region is the low end."""
    threshold = unit["threshold_lower"] if below else unit["threshold_upper"]
    found = []
    for clip in shown:
        value, place = escape(number(clip["value"])), escape(where(clip))
        if is_image(clip):
            picture = image_clip(clip, threshold, below, image_at(clip["shown"]["image"]))
            found.append(
                f'<li class="clip pictured">{picture}<span class="meta"><b>{value}</b> <bdi>{place}</bdi></span></li>'
            )
        else:
            text = f'<span class="value">{value}</span>{text_clip(clip)}'
            found.append(f'<li class="clip">{text}<span class="meta"><bdi>{place}</bdi></span></li>')
    return Markup("".join(found))


def where(clip: Row) -> str:
    """A clip's item and place in words."""
    item = clip["shown"]
    name, group = inert(item["id"]), inert(item["group"])
    said = name if name.startswith(group) else f"{group} · {name}"
    return said or NOTHING
