"""One unit on a terminal: what its variance is made of, its concepts with their controls, its highest words."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.atlas import Atlas, Row
from unitscope.report import clips, findings, kept_effects, writes
from unitscope.report.further import further
from unitscope.report.listing import Column, Counts, Listing
from unitscope.report.plain import chance, clean, count, direction, effect, number, share
from unitscope.report.terminal import auroc, heading, legend
from unitscope.report.wording import TEXTS, Wording, of_grid

BAR = 30
_NO_INTERVAL = "no interval: fewer than 10 effective groups"


def unit(atlas: Atlas, address: str, *, top: int = 10) -> RenderableType:
    """Everything about one unit; `top` clips of its highest words, and of its lowest where it falls on a concept."""
    view = findings.unit_view(atlas, address)
    words = of_grid(view["grid"])
    parts: list[RenderableType] = [_head(view, words)]
    if view["status"] in ("live", "dead"):
        parts += [heading("What its variance is made of"), passport(view, findings.parts(atlas), words)]
    reported = [row for row in view["matches"] if row["measure"] == "auroc"]
    parts.append(heading("Concepts"))
    parts += [concepts(reported, words), legend(words.legend)] if reported else [Text(_nothing(view))]
    parts += further(view)
    others = [row for row in view["matches"] if row["measure"] != "auroc"]
    if others:
        first = clean(reported[0]["concept"])
        parts += [heading(f"Other measures of {first}, on the held-out half"), measures(others)]
    covered = _cover(view, words)
    if covered:
        parts += [heading("How much of it these concepts cover"), Text(covered)]
    told = kept_effects.lines(kept_effects.effects_of(atlas, view["layer"], view["unit"]))
    if told:
        parts += [heading("What the network does without it, or with it set"), *map(Text, told)]
    falls = any(row["sign"] < 0 for row in view["tests"][:1]) or any(row["sign"] < 0 for row in reported)
    return Group(*parts, *clips.shown(view, falls=falls, top=top), *writes.shown(view, top=top))


def _head(view: Row, words: Wording = TEXTS) -> Text:
    text = Text(clean(view["address"]), style="bold")
    what = " · ".join(
        part for part in (clean(view.get("name") or ""), clean(view["role"]), view["status"], view["kind"]) if part
    )
    text.append(f" {what}\n", style="not bold")
    if view["status"] == "nan":
        text.append("It has values that are no finite numbers; nothing can be said of it.", style="not bold")
        return text
    text.append(
        f"mean {number(view['mean'])}, standard deviation {number(view['sd'])}, from {number(view['least'])} to "
        f"{number(view['greatest'])}; {count(view['n_on_upper'])} {words.sites} "
        f"above {number(view['threshold_upper'])}, "
        f"{count(view['n_on_lower'])} below {number(view['threshold_lower'])} (about 1 % each)",
        style="not bold",
    )
    return text


def passport(view: Row, names: Sequence[str], words: Wording = TEXTS) -> Text:
    """Shares of the unit's variance as bars."""
    text = Text()
    width = max(len(words.parts.get(name, name)) for name in names)
    for index, name in enumerate(names):
        value = view[f"share_{name}"] or 0.0
        line = f"{words.parts.get(name, name):<{width}}  {share(value):>6}  {'█' * round(BAR * value)}"
        text.append(f"{line.rstrip()}{'' if index == len(names) - 1 else chr(10)}")
    return text


def concepts(rows: Sequence[Row], words: Wording = TEXTS) -> Listing:
    """Reported concepts with their controls."""
    bar = any(row["untrained_p99"] is not None for row in rows)
    columns = [
        Column("concept", lead=True, text=True),
        Column("kind", "", text=True),
        Column("AUROC", "AUROC", text=True),
        Column(words.in_form, words.within_form),
        Column(words.in_place, words.within_place),
        *([Column("untrained p99", "untrained p99")] if bar else []),
        Column("q", "q"),
        Column("n", "n"),
        Column("prev.", "prevalence"),
    ]
    return Listing(columns, [_concept(row, bar) for row in rows])


def _concept(row: Row, bar: bool) -> list[str]:
    return [
        f"{direction(row['sign'])} {clean(row['concept'])}",
        row["kind"],
        auroc(row, _NO_INTERVAL),
        effect(row["within_form"]),
        effect(row["within_form_position"]),
        *([effect(row["untrained_p99"])] if bar else []),
        chance(row["q"]),
        count(row["n"]),
        share(row["prevalence"]),
    ]


def _nothing(view: Row) -> str:
    if not view["tests"]:
        return "Nothing was tested: no concept is frequent enough, or the unit does not vary."
    first = view["tests"][0]
    return (
        f"None is reported. Tested first: {direction(first['sign'])} {clean(first['concept'])}, AUROC "
        f"{effect(first['auroc'])}, p {chance(first['p'])}, n {count(first['n'])}."
    )


def measures(rows: Sequence[Row]) -> Counts:
    """Other measures with what an unrelated unit would score and the greatest score there could be."""
    cells = [[row["measure"], number(row["score"]), number(row["chance"]), number(row["ceiling"])] for row in rows]
    return Counts(["measure", "score", "by chance", "ceiling"], cells)


def _cover(view: Row, words: Wording) -> str:
    shares = [view[f"cover_{k}"] for k in range(1, 6)]
    known = [value for value in shares if value is not None]
    if not known:
        return ""
    counted = ", ".join(share(value) for value in known)
    end = "lowest" if view["tests"] and view["tests"][0]["sign"] < 0 else "highest"
    return (
        f"Of its {end} 1 % of {words.sites} (held-out half), "
        f"the first 1 to {len(known)} concepts chosen for it hold at "
        f"{counted}; none of them at {share(1 - known[-1])}."
    )
