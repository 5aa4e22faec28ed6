import json
import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.report import plain


@given(st.text(st.characters(codec=None)))
def test_clean_text_is_one_harmless_line(text: str) -> None:
    cleaned = plain.clean(text)
    for character in cleaned:
        assert character.isprintable() or character in "\u200c\u200d"
    assert plain.clean(cleaned) == cleaned
    cleaned.encode("utf-8")


@given(st.text(st.characters(categories=["L", "M", "N", "P", "S"])))
def test_clean_leaves_words_of_any_script_alone(text: str) -> None:
    assert plain.clean(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x00", "\ufffd"),
        ("\x1b[2J", "\ufffd[2J"),
        ("\x9b31m", "\ufffd31m"),
        ("a\r\nb", "a  b"),
        ("a\u2028b", "a b"),
        ("\u202ereversed\u202c", "reversed"),
        ("\u2066isolated\u2069\u200f", "isolated"),
        ("\ud800", "\ufffd"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("नमस्\u200dते", "नमस्\u200dते"),
    ],
)
def test_clean_examples(text: str, expected: str) -> None:
    assert plain.clean(text) == expected


def test_no_format_character_but_joiners_survives() -> None:
    marks = "".join(chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) == "Cf")
    assert plain.clean(marks) == "\u200c\u200d"


@given(st.floats(-1, 1))
def test_an_effect_reads_back_within_its_decimals(value: float) -> None:
    assert float(plain.effect(value)) == pytest.approx(value, abs=0.00501)


def test_an_effect_short_of_one_is_not_written_as_one() -> None:
    assert [plain.effect(value) for value in (0.9949, 0.9951, 0.9994, -0.9972)] == [".99", ".995", ".999", "-.997"]


@given(st.floats(0, 1))
def test_a_chance_is_never_shown_as_zero(value: float) -> None:
    text = plain.chance(value)
    assert text == "<.001" if value < 0.001 else float(text) == pytest.approx(value, abs=0.00051)


def test_numbers_that_are_not_there() -> None:
    for write in (plain.effect, plain.chance, plain.number, plain.share, plain.count):
        assert write(None) == plain.NOTHING
    for write in (plain.effect, plain.chance, plain.number, plain.share):
        assert write(math.nan) == plain.NOTHING
    assert plain.interval(None, 0.4) == plain.NOTHING


def test_finite_makes_values_that_json_can_hold() -> None:
    value = {"a": [math.nan, math.inf, 1.5], 2: ("x", {"y": -math.inf}), "z": None}
    assert json.loads(json.dumps(plain.finite(value), allow_nan=False)) == {
        "a": [None, None, 1.5],
        "2": ["x", {"y": None}],
        "z": None,
    }


def test_sizes() -> None:
    assert [plain.size(n) for n in (0, 999, 1000, 12_000, 1_500_000_000, 2.5e15)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "12 kB",
        "1.5 GB",
        "2,500.0 TB",
    ]
