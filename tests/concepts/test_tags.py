from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.base import ConceptSource
from unitscope.concepts.tags import TagSource
from unitscope.sites import Item, Text


def item(**columns):
    n = len(next(iter(columns.values()))) if columns else 2
    return Item("1", "g", {"source": Text.from_words(["w"] * n, columns)})


def test_values_parts_and_the_unknown():
    source = TagSource("feats", "feats", "|")
    annotated = source.annotate(item(feats=("Case=Nom|Number=Plur", "", None, "Case=Nom")), "source")
    assert annotated == [("Case=Nom", "Number=Plur"), (), None, ("Case=Nom",)]
    assert isinstance(source, ConceptSource)


def test_without_separator_a_value_is_one_concept():
    assert TagSource("xpos", "xpos").annotate(item(xpos=("A|B", "")), "source") == [("A|B",), ()]


def test_a_missing_column_is_not_known():
    assert TagSource("upos", "upos").annotate(item(), "source") == [None, None]


@given(st.lists(st.one_of(st.none(), st.text("ab+", max_size=5)), min_size=1))
def test_against_splitting_by_hand(values):
    expected = []
    for value in values:
        parts = None if value is None else []
        for part in (value or "").split("+"):
            if part and part not in parts:
                parts.append(part)
        expected.append(None if parts is None else tuple(parts))
    assert TagSource("m", "m", "+").annotate(item(m=tuple(values)), "source") == expected


def test_what_was_seen_is_no_part_of_the_description():
    used, fresh = TagSource("upos", "upos"), TagSource("upos", "upos")
    used.annotate(item(upos=("NOUN",)), "source")
    assert used == fresh
    assert repr(used) == "TagSource(column='upos', category='upos', separator='', min_sites=20)"
    assert asdict(used) == {"column": "upos", "category": "upos", "separator": "", "min_sites": 20}
