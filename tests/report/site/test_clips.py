import itertools
import math
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.report.site import clips

UNIT = {"mean": 0.1, "sd": 0.6, "least": -2.0, "greatest": 3.0, "threshold_upper": 1.5, "threshold_lower": -1.2}


def clip(words, values, position, first=0, spaces=None):
    item = {"words": list(words), "spaces": spaces or [True] * len(words), "id": "a-1", "group": "a", "image": None}
    return {"shown": item, "values": values, "first": first, "position": position, "value": 0.0}


class Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.parts, self.tags = [], []

    def handle_data(self, data):
        self.parts.append(data)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def parsed(html):
    parser = Text()
    parser.feed(html)
    parser.close()
    return "".join(parser.parts), parser.tags


@given(st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=9), st.data())
def test_a_page_can_cut_the_text_into_words_by_the_lengths(words, data):
    position = data.draw(st.integers(0, len(words) - 1))
    spaces = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    text, tags = parsed(clips.text_clip(clip(words, [0.5] * len(words), position, spaces=spaces)))
    assert [tag for tag, _ in tags] == ["p", "mark"]
    units, at, found = text.encode("utf-16-le", "surrogatepass"), 0, []
    for length in tags[0][1]["data-n"].split():
        at += 2 * length.startswith("+")
        found.append(units[at : at + 2 * int(length)].decode("utf-16-le", "surrogatepass"))
        at += 2 * int(length)
    assert at == len(units)
    assert found == [clips.inert(word) for word in words]
    assert tags[0][1]["data-v"].split() == [".5"] * len(words)


def test_only_words_that_are_shown_are_there_and_the_rest_is_dots():
    found = clips.text_clip(clip("abcdef", [1.0, None, 2.5], 3, first=2))
    text, tags = parsed(found)
    assert text == "c d e"
    assert "<mark>d</mark>" in found
    assert tags[0][1] == {
        "class": "words",
        "dir": "auto",
        "data-v": "1 - 2.5",
        "data-n": "1 +1 +1",
        "data-b": None,
        "data-a": None,
    }


def test_values_beyond_the_words_of_an_item_are_left_out():
    assert parsed(clips.text_clip(clip("ab", [1.0, 2.0, 3.0], 0)))[0] == "a b"


def test_markup_in_words_is_text():
    text, tags = parsed(clips.text_clip(clip(["<script>x</script>", "&amp;"], [0.0, 1.0], 0)))
    assert text == "<script>x</script> &amp;"
    assert [tag for tag, _ in tags] == ["p", "mark"]


def test_very_long_words_are_cut():
    text, _ = parsed(clips.text_clip(clip(["x" * 1000], [0.0], 0)))
    assert text == "x" * (clips.LONGEST_WORD - 1) + "…"


def test_a_notebook_gets_colours_and_values_without_scripts():
    scale = clips.Scale.of(UNIT)
    found = clips.heat_clip(clip("abc", [3.0, -2.0, None], 0), scale)
    assert '<mark class="p9" title="3">a</mark>' in found
    assert '<i class="n6" title="-2">b</i>' in found
    assert '<i class="z" title="–">c</i>' in found


def test_colours_are_about_zero_or_about_the_mean():
    assert clips.Scale.of(UNIT) == clips.Scale(0.0, 3.0)
    assert clips.Scale.of({"mean": 5.0, "sd": 0.5, "least": 3.0, "greatest": 6.0}) == clips.Scale(5.0, 2.0)
    scale = clips.Scale(0.0, 3.0)
    assert [scale.step(value) for value in (3.0, -3.0, 0.0, 99.0, None, math.nan)] == [9, -9, 0, 9, 0, 0]
    assert clips.Scale.of(dict.fromkeys(("mean", "sd", "least", "greatest"), 0.0)).step(0.0) == 0


@given(st.integers(1, 6), st.integers(1, 6), st.data())
def test_outlines_hold_just_the_cells_that_are_on(rows, columns, data):
    on = data.draw(st.lists(st.booleans(), min_size=rows * columns, max_size=rows * columns))
    path = clips.region(on, rows, columns)
    assert filled(path, rows, columns) == on


def filled(path, rows, columns):
    """Cells inside a path by the even-odd rule: the number of upright edges left of the cell's middle."""
    crossings = np.zeros((rows, columns), int)
    for outline in filter(None, path.split("M")):
        x, y = None, None
        start, corners = None, []
        for token in outline.replace("H", " H").replace("V", " V").replace("Z", " Z").split():
            if token == "Z":
                corners.append(start)
            elif token[0] == "H":
                x = int(token[1:])
                corners.append((x, y))
            elif token[0] == "V":
                y = int(token[1:])
                corners.append((x, y))
            elif x is None:
                x = int(token)
            else:
                y = int(token)
                start = (x, y)
                corners.append(start)
        for (x0, y0), (x1, y1) in itertools.pairwise(corners):
            assert x0 == x1 or y0 == y1
            if x0 == x1:
                crossings[min(y0, y1) : max(y0, y1), x0:] += 1
    return (crossings % 2 == 1).reshape(-1).tolist()


def test_an_image_has_its_region_told_in_words():
    item = {"id": "a-1", "group": "a", "image": "x y.png", "rows": 2, "columns": 2, "words": None, "spaces": None}
    shown = {"shown": item, "values": [2.0, 0.0, None, 1.6], "first": 0, "position": 3, "value": 1.6}
    found = clips.image_clip(shown, 1.5, False, "images/x%20y.png")
    _, tags = parsed(found)
    image = next(attributes for tag, attributes in tags if tag == "img")
    assert image["src"] == "images/x%20y.png"
    assert image["alt"] == "a-1: value 1.6 at row 2 of 2, column 2 of 2; 2 of 4 cells beyond the threshold"
    assert clips._cells(shown, -1.0, True, 4) == [False] * 4


def test_groups_come_from_the_end_the_unit_detects_at():
    item = clip("ab", [1.0, 2.0], 0)["shown"]
    rows = [
        {"kind": kind, "rank": rank, "low_quantile": low, "high_quantile": high, "concept": concept}
        | {"grid": "source", "item": 0}
        for kind, rank, low, high, concept in (
            ("top", 2, None, None, None), ("top", 1, None, None, None), ("low", 1, None, None, None),
            ("band", 1, 0.0, 0.01, None), ("band", 2, 0.1, 0.5, None),
            ("missed", 1, None, None, "upos:X"), ("top", 3, None, None, None),
        )
    ]  # fmt: skip
    rows[-1]["item"] = 99  # an item that the atlas does not hold
    items = {("source", 0): item}
    found = clips.of_unit(rows, items, falls=True)
    assert [group["kind"] for group in found] == ["low", "top", "band", "missed"]
    assert [clip["rank"] for clip in found[1]["parts"][0]["clips"]] == [1, 2]
    assert [part["band"] for part in found[2]["parts"]] == [(0.0, 0.01), (0.1, 0.5)]
    assert found[3]["parts"][0]["concept"] == "upos:X"
    assert [part["band"] for part in clips.of_unit(rows, items, falls=False)[2]["parts"]] == [(0.1, 0.5), (0.0, 0.01)]


@pytest.mark.parametrize(("item", "group", "told"), [("a-1", "a", "a-1"), ("7", "doc", "doc · 7"), ("", "", "–")])
def test_places_in_words(item, group, told):
    assert clips.where({"shown": {"id": item, "group": group}}) == told
