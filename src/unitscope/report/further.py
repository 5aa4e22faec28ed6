"""A unit's formula and its matches' generalisation ladder on a terminal, where the atlas has them."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text

from unitscope.atlas import Row
from unitscope.report.listing import Counts
from unitscope.report.plain import NOTHING, chance, clean, count, direction, effect, interval, share
from unitscope.report.terminal import heading, legend

LADDER = (
    "documents: the held-out half. word types: words whose form did not have the concept on half A, against forms that "
    "are not on half A. ambiguous words: among words of equal form. minimal pairs: share of sentence pairs, differing "
    "in one property, in which the unit tells them apart the right way at the changed word. .5 is chance; p is for one "
    "rung alone."
)


def further(view: Row) -> list[RenderableType]:
    """Formula and ladder of a unit; nothing where they were not asked for."""
    parts: list[RenderableType] = []
    for row in view.get("formulas", []):
        parts += [heading("Formula"), formula(row)]
    reported = {row["slot"] for row in view["matches"]}
    rows = [row for row in view.get("ladder", []) if row["slot"] in reported]
    if rows:
        parts += [heading("How far the matches reach"), ladder(rows), *untested(rows), legend(LADDER)]
    return parts


def formula(row: Row) -> Text:
    """A formula with its held-out agreement beside the best single concept's, luck's, and what it covers."""
    end = "highest" if row["sign"] > 0 else "lowest"
    ends = "no interval" if row["low"] is None else interval(row["low"], row["high"])
    text = Text(f"{direction(row['sign'])} ")
    text.append(clean(row["formula"]), style="bold")
    text.append(
        f"\nkappa {effect(row['score'])} {ends} with its {end} {share(row['share'])} of words, q {chance(row['q'])}, "
        f"n {count(row['n'])}"
    )
    if row["length"] > 1:
        text.append(
            f"\nbest single concept: {clean(row['single'])}, kappa {effect(row['single_score'])} with its {end} "
            f"{share(row['single_share'])}"
        )
    text.append(
        f"\nluck (the same search, the unit shifted against the text): kappa {effect(row['luck'])}; on half A, where "
        f"formulas are chosen, {effect(row['luck_a'])} against {effect(row['score_a'])}"
    )
    if row["cover"] is not None:
        text.append(f"\nit holds at {share(row['cover'])} of the {end} 1 % of words")
    text.append(
        "\nkappa: agreement with the words it is on at, beyond chance (0 chance, 1 the same words), on half B",
        style="dim",
    )
    return text


def ladder(rows: list[Row]) -> Counts:
    """Rungs of each reported concept."""
    cells = []
    for row in rows:
        ends = NOTHING if row["low"] is None else interval(row["low"], row["high"])
        first = f"{clean(row['concept'])}, " if row["rung"] == "documents" else "  "
        cells.append([f"{first}{row['rung']}", effect(row["effect"]), ends, chance(row["p"]), count(row["n"])])
    return Counts(["concept and rung", "effect", "95 %", "p", "n"], cells)


def untested(rows: list[Row]) -> list[Text]:
    """What the rungs without an effect lack, a line each."""
    found: dict[str, list[str]] = {}
    for row in rows:
        if row["why"] is not None:
            found.setdefault(f"{row['rung']}: {row['why']}", []).append(clean(row["concept"]))
    return [Text(f"not tested, {why} ({', '.join(concepts)})", style="dim") for why, concepts in found.items()]
