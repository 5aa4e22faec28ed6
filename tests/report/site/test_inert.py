import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.report.site.inert import inert, script_json, slug


@given(st.text())
def test_inert_text_keeps_its_length_and_loses_what_acts(text: str) -> None:
    found = inert(text)
    assert len(found) == len(text)
    assert not any(ord(character) < 32 or 127 <= ord(character) < 160 for character in found)
    found.encode("utf-8")
    assert inert(found) == found


def test_direction_marks_stay_for_the_page_to_isolate() -> None:
    assert inert("\u202eabc\u2069") == "\u202eabc\u2069"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda each: st.lists(each) | st.dictionaries(st.text(), each),
    )
)
def test_data_for_scripts_is_json_that_closes_no_element(value: object) -> None:
    text = script_json(value)
    assert text.isascii()
    assert not set("<>&") & set(text)
    assert json.loads(text) == value


def test_numbers_that_are_none_become_null() -> None:
    assert script_json([float("nan"), 1.5]) == "[null,1.5]"


@given(st.text(min_size=1), st.text(min_size=1))
def test_file_names_are_safe_and_tell_names_apart(a: str, b: str) -> None:
    name = slug(a)
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789._-")
    assert name[0] not in ".-"
    assert name[-1] != "."
    assert 0 < len(name) <= 80
    assert (slug(b) == name) == (a == b)


@pytest.mark.parametrize(
    "name", ["con", "NUL", "..", "a/b", "A", "a" * 300, "lpt1.txt", "upos-noun-a45f1a22", "-x", "x."]
)
def test_names_that_some_file_system_minds_get_a_digest(name: str) -> None:
    assert slug(name) != name
    assert slug(name) == slug(name)
    assert slug(slug(name)) != slug(name)  # a name that looks like another's file never takes it


def test_usual_addresses_stay() -> None:
    assert slug("encoder.layer.11.intermediate") == "encoder.layer.11.intermediate"
