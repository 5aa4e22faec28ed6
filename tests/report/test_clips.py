"""Lines of clips: what they show, and that they keep to their width."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console, Group

from unitscope.report import clips as report

WORDS = ["we", "went", "to", "the", "bank", "of", "the", "river", "today", "."]
SITE: dict[str, Any] = {
    "kind": "top",
    "value": 2.5,
    "position": 4,
    "first": 0,
    "values": [0.0, 0.5, None, 0.0, 2.5, 1.5, 0.0, 0.0, -1.5, 0.0],
    "words": WORDS,
    "spaces": [True] * 8 + [False, False],
    "id": "d1-4",
    "concept": None,
}


def underlined(row: dict[str, Any], threshold: float, *, falls: bool = False) -> list[str]:
    line = report.site(row, 100, threshold, falls=falls)
    return [line.plain[span.start : span.end] for span in line.spans if "underline" in str(span.style)]


def test_a_site_shows_all_of_its_context_where_there_is_room() -> None:
    assert report.site(SITE, 100).plain == "     2.5  we went to the «bank» of the river today.  (d1-4)"


def test_words_beyond_the_threshold_are_underlined() -> None:
    assert underlined(SITE, 1.0) == ["of"]
    assert underlined(SITE, -1.0, falls=True) == ["today"]
    assert underlined(SITE, 9.0) == []


def test_a_window_of_a_longer_text_has_ellipses() -> None:
    row = {**SITE, "first": 3, "values": SITE["values"][3:7]}
    assert report.site(row, 100).plain == "     2.5  … the «bank» of the  …  (d1-4)"


def test_a_band_has_its_limits() -> None:
    row = {**SITE, "kind": "band", "low_quantile": 0.9, "high_quantile": 0.99}
    assert report.site(row, 100).plain.startswith(" .9-.99      2.5  we went")


def test_a_cell_of_an_image_has_its_place() -> None:
    row = {**SITE, "words": None, "spaces": None, "image": "a.png", "grid": "image:2x3", "rows": 2, "columns": 3}
    assert report.site(row, 100).plain == "     2.5  d1-4, row 2 of 2, column 2 of 3"


def test_an_item_as_a_whole_has_its_name_and_beginning() -> None:
    row = {**SITE, "grid": "item", "position": 0, "values": [2.5]}
    assert report.site(row, 100).plain.startswith("     2.5  d1-4  ")
    assert report.site(row, 30).cell_len <= 30
    assert report.site({**row, "words": None, "spaces": None}, 100).plain == "     2.5  d1-4"


@pytest.mark.parametrize("width", range(18, 80))
def test_a_site_keeps_to_its_width_and_its_word(width: int) -> None:
    wide = ["銀行へ", "行った", "銀行", "へ", *WORDS[4:]]
    first = {**SITE, "position": 0, "words": ["bank", *WORDS[1:]]}
    last = {**SITE, "position": 9, "words": [*WORDS[:9], "bank"]}
    for row in (SITE, {**SITE, "words": wide}, first, last):
        line = report.site(row, width, 1.0)
        assert cell_len(line.plain) <= width
        assert "«bank»" in line.plain
        marked = [line.plain[span.start : span.end] for span in line.spans if "reverse" in str(span.style)]
        assert marked == ["«bank»"]


def test_a_short_side_leaves_its_room_to_the_other() -> None:
    row = {**SITE, "words": ["a" * 60, "", "", "", "bank", ".", "", "", "", ""], "spaces": [False] * 10}
    assert "…" + "a" * 20 in report.site(row, 50).plain


def test_words_are_harmless() -> None:
    row = {**SITE, "words": [*WORDS[:3], "\x1b[31m\u202e", "bank\n\x00", *WORDS[5:]]}
    plain = report.site(row, 100).plain
    assert plain.isprintable()
    assert "to \ufffd[31m «bank" in plain


def test_every_kind_has_its_heading() -> None:
    rows = [
        {**SITE, "kind": kind, "low_quantile": 0.0, "high_quantile": 0.5} for kind in ("top", "low", "band", "random")
    ]
    rows.append({**SITE, "kind": "missed", "concept": "upos:NOUN"})
    view = {"clips": rows, "threshold_upper": 1.0, "threshold_lower": -1.0}
    for falls in (False, True):
        file = io.StringIO()
        Console(file=file, width=90, markup=False).print(Group(*report.shown(view, falls=falls, top=3)))
        text = file.getvalue()
        assert ("Where it is lowest" in text) == falls
        assert text.count("«bank»") == 4 + falls
        assert f"upos:NOUN with the unit at or {'above' if falls else 'below'} its median" in text
