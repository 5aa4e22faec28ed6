"""What a unit writes, in lines."""

from __future__ import annotations

import io
from typing import Any

from rich.console import Console, Group

from unitscope.report import writes as report

LENS: dict[str, Any] = {"kind": "lens", "rank": 1}
ROWS = [
    {**LENS, "sign": 1, "token": " dog", "value": 2.0, "chance": 1.5},
    {**LENS, "sign": 1, "token": "s", "value": 1.0, "chance": 1.25},
    {**LENS, "sign": -1, "token": "\x1b[31m", "value": -1.0, "chance": -1.5},
]
DIRECT = [{"kind": "attribution", "sign": 1, "rank": 1, "token": " cat", "value": 0.25, "chance": None}]


def render(view: dict[str, Any], top: int = 10) -> str:
    file = io.StringIO()
    Console(file=file, width=200, markup=False, highlight=False).print(Group(*report.shown(view, top=top)))
    return file.getvalue()


def test_tokens_no_stronger_than_chance_are_in_brackets() -> None:
    text = render({"writes": ROWS, "attribution": None})
    assert "raises  ·dog 2, (s 1); by chance 1.5" in text
    assert "lowers  (\ufffd[31m -1); by chance -1.5" in text
    assert "comes next" not in text
    assert "raises  ·dog 2; by chance 1.5" in render({"writes": ROWS, "attribution": None}, top=1)


def test_direct_effects_have_their_tokens() -> None:
    row = {"mean_on": 0.5, "mean_off": -0.125, "n_on": 12, "n_off": 3400}
    text = render({"writes": [*ROWS, *DIRECT], "attribution": row})
    assert "on average +0.5 at the 12 tokens where it is on, -0.125 at the 3,400 others" in text
    assert "for      ·cat 0.25\n" in text
    assert "against  –\n" in text


def test_nothing_where_the_atlas_has_nothing() -> None:
    assert report.shown({"writes": [], "attribution": None}, top=3) == []
