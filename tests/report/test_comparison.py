"""Comparisons on the terminal: every figure is there at any width, and hostile names stay on their line."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from unitscope.comparison import Comparison, compare
from unitscope.report import comparison as shown
from unitscope.report.plain import effect


@pytest.fixture(scope="module")
def found(tiny_atlas: Path) -> Comparison:
    return compare(tiny_atlas, f"{tiny_atlas}@untrained")


def drawn(found: Comparison, width: int, top: int = 3) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, markup=False, highlight=False, emoji=False)
    console.print(shown.comparison(found, top))
    return console.file.getvalue()


@pytest.mark.parametrize("width", [50, 80, 200])
def test_every_count_and_mover_is_shown(found: Comparison, width: int) -> None:
    text = drawn(found, width)
    assert all(len(line) <= width for line in text.splitlines())
    for row in found.rows("layers"):
        assert row["layer"] in text.replace("\n", "")
        assert f"{row['random_kept']:.1f} [{row['random_low']:.0f}, {row['random_high']:.0f}]" in text
    flat = re.sub(r"\s+", " ", text)
    for row in shown.movers(found.rows("units"))[:3]:
        assert f"{row['layer']}:{row['unit']}" in text
        assert f"{row['concept_a']} {effect(row['effect_a'])}" in flat or width == 50
    assert "(untrained)" in text


def test_sentences_tell_counts_beside_chance(found: Comparison) -> None:
    said = " ".join(shown.sentences(found.about))
    counts = found.about["counts"]
    for name in ("kept", "moved", "undecided", "lost", "gained"):
        assert str(counts[name]) in said
    assert "paired at random" in said
    assert found.about["notes"][0] in said


def test_movers_come_widest_first_and_lost_ones_behind() -> None:
    def row(unit: int, status: str, a: float | None, b: float | None) -> dict:
        sides = {"effect_a": 0.9, "effect_b": 0.9, "b_on_concept_a": a, "a_on_concept_b": b}
        return {"layer": "x", "unit": unit, "status": status, **sides}

    rows = [row(0, "lost", 0.5, None), row(1, "moved", 0.8, 0.7), row(2, "kept", 0.1, 0.1), row(3, "moved", 0.3, 0.9)]
    rows.append(row(4, "moved", None, None))
    assert [each["unit"] for each in shown.movers(rows)] == [3, 1, 4, 0]


def test_hostile_names_stay_on_their_line(found: Comparison) -> None:
    hostile = "a\x1b[31m\nb\u202e"
    side = {**found.about["b"], "atlas": hostile, "model": hostile}
    units = {name: values.copy() for name, values in found.tables["units"].items()}
    units["concept_a"][:] = hostile
    other = Comparison(found.a, found.b, {**found.tables, "units": units}, {**found.about, "b": side})
    text = drawn(other, 120)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "a\ufffd[31m b" in text
