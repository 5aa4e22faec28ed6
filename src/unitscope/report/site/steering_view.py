"""All that pages of steering show, as plain data: how often it works beside random sets, its cost, and examples."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from unitscope.annex import Annex
from unitscope.report.plain import counted, interval, number, share
from unitscope.report.site.ablations import plain
from unitscope.report.site.data import SiteData
from unitscope.report.site.effect_words import known, span
from unitscope.report.site.parameters import parameter_rows

Row = dict[str, Any]
N_EXAMPLES = 60
"""Most examples that are shown."""
_HIDDEN = ("notes", "parameters")
_WORDS = re.compile(r"\s+")


def steering_list(data: SiteData) -> list[Row]:
    """All that was steered, beside random sets."""
    return [_described(data, annex) for annex in data.beside.of("steering")]


def _described(data: SiteData, annex: Annex) -> Row:
    about = annex.about
    sets = [plain(row) for row in data.beside.rows(annex, "sets")]
    steered = next((row for row in sets if row["selection"] == "steered"), sets[0] if sets else None)
    return {
        "name": annex.name,
        "property": str(about.get("property") or about.get("towards") or about.get("target") or annex.name),
        "edit": str(about.get("edit") or ""),
        "sets": sets,
        "steered": steered,
        "random": [row for row in sets if row["selection"].startswith("random")],
        "random_mean": _mean([row for row in sets if row["selection"] == "random"])
        or next((row for row in sets if row["selection"] == "random mean"), None),
    }


def _mean(rows: Sequence[Row]) -> Row | None:
    if not rows:
        return None
    names = ("success", "collateral")
    values = {name: [row[name] for row in rows if known(row.get(name))] for name in names}
    return {name: sum(each) / len(each) if each else None for name, each in values.items()} | {"n": len(rows)}


def steering_view(data: SiteData, name: str) -> dict[str, Any]:
    """One steering. Raises StoreError where the atlas has none of this name."""
    annex = data.beside.get("steering", name)
    found = _described(data, annex)
    examples = [plain(row) for row in data.beside.rows(annex, "examples")]
    strengths = [plain(row) for row in data.beside.rows(annex, "strengths")]
    return {
        **found,
        "lede": lede(found),
        "strengths": strengths,
        "chosen": next((row for row in strengths if row.get("chosen")), None),
        "examples": [_example(row) for row in examples[:N_EXAMPLES]],
        "n_examples": len(examples),
        "notes": [str(note) for note in annex.about.get("notes") or ()],
        "parameters": parameter_rows(annex, _HIDDEN),
    }


def lede(found: Row) -> list[str]:
    """How often it works and at what cost, beside random sets."""
    row = found["steered"]
    if row is None:
        return ["Nothing was steered."]
    said = [
        f"With {counted(row['n_units'], 'unit')} at strength {number(row.get('strength'))}, {share(row['success'])} "
        f"{interval(row.get('low'), row.get('high'))} of held-out items turn."
    ]
    if found["random_mean"] and known(found["random_mean"]["success"]):
        said.append(f"Random sets of the same size: {share(found['random_mean']['success'])}.")
    if known(row.get("collateral")):
        known_ends = span(row.get("collateral_low"), row.get("collateral_high"))
        beside = found["random_mean"]
        other = f"; random sets {number(beside['collateral'])}" if beside and known(beside["collateral"]) else ""
        said.append(f"Collateral damage {number(row['collateral'])} {known_ends}{other}.")
    return said


def strength_points(strengths: Sequence[Row]) -> list[Row]:
    """Points of the strengths tried on the development split, for the chart."""
    return [
        {
            "panel": panel,
            "selection": f"{row['selection']}, {counted(row['n_units'], 'unit')}",
            "units": row["strength"],
            "value": row[panel],
            "low": None,
            "high": None,
            "chosen": bool(row.get("chosen")),
        }
        for panel in ("success", "collateral")
        for row in strengths
        if known(row.get(panel))
    ]


def _example(row: Row) -> Row:
    before, after = changed(str(row.get("before") or ""), str(row.get("after") or ""))
    return plain(row, before=before, after=after, same=row["before"] == row["after"])


def changed(before: str, after: str) -> tuple[list[tuple[str, bool]], list[tuple[str, bool]]]:
    """Both texts as runs of words, each with whether the other text has it not there.

    >>> changed("he sees dogs", "he saw dogs")
    ([('he', False), ('sees', True), ('dogs', False)], [('he', False), ('saw', True), ('dogs', False)])
    """
    first, second = ([word for word in _WORDS.split(text) if word] for text in (before, after))
    sides: tuple[list[tuple[str, bool]], list[tuple[str, bool]]] = ([], [])
    for tag, a, b, c, d in difflib.SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        for side, words in zip(sides, (first[a:b], second[c:d]), strict=True):
            if words:
                side.append((" ".join(words), tag != "equal"))
    return sides
