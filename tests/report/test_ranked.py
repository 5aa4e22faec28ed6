"""Rankings as rows: the atlas' own match beside each unit, and words that cannot harm a terminal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

import unitscope
from unitscope.atlas import Atlas
from unitscope.rankings.base import Origin, Ranking
from unitscope.report import ranked


def test_units_stand_beside_their_first_match(tiny_atlas: Path) -> None:
    atlas = Atlas.open(tiny_atlas)
    (found,) = unitscope.rank(atlas, by="auroc")
    first = {(row["layer"], row["unit"]): row for row in atlas.matches() if row["slot"] == 1}
    rows = ranked.rows(atlas, found, 40)
    assert [row["rank"] for row in rows] == list(range(1, 41))
    assert any(row["concept"] for row in rows)
    for row, unit in zip(rows, found.units):
        assert f"{row['layer']}:{row['unit']}" == unit
        match = first.get((row["layer"], row["unit"]))
        if match is None:
            assert row["concept"] is None
            assert row["words"] == []
        else:
            assert (row["concept"], row["auroc"], row["kind"]) == (match["concept"], match["score"], match["kind"])
            assert row["words"]
    assert sum(ranked.by_layer(atlas, found, 40).values()) == 40


def test_names_are_shown_as_text(tiny_atlas: Path) -> None:
    atlas = Atlas.open(tiny_atlas)
    made = Ranking(("encoder.layer.0:1",), np.array([1.0]), "a\x1b[31m[bold]b", Origin("x\ny"))
    console = Console(width=100, record=True, markup=False)
    with console.capture() as captured:
        console.print(ranked.rankings(atlas, [made], 3))
    assert "\x1b[31m" not in captured.get()
    assert "[bold]b" in captured.get()
