import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.regex import TextRegexSource, WordRegexSource
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text


def annotate(source, text):
    return list(source.annotate(Item("1", "g", {"source": text}), "source"))


def test_words_match_from_end_to_end():
    source = WordRegexSource((("year", r"\d{4}"), ("number", r"\d+")))
    words = Text.from_words(["1984", "in", "19845", "x1984"])
    assert annotate(source, words) == [("year", "number"), (), ("number",), ()]
    assert (source.category, source.names) == ("regex", ("year", "number"))


def test_text_matches_mark_the_words_they_overlap():
    text = Text.from_words(["in", "New", "York", "City", ",", "New"], space_after=[True, True, True, False, True])
    source = TextRegexSource((("place", "New York"), ("tail", "y,"), ("nothing", "x*")))
    assert annotate(source, text) == [(), ("place",), ("place",), ("tail",), ("tail",), ()]
    assert (source.category, source.names) == ("regex-text", ("place", "tail", "nothing"))


def test_a_match_of_white_space_alone_marks_nothing():
    assert annotate(TextRegexSource((("gap", " +"),)), Text.from_words(["a", "b"])) == [(), ()]


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), max_size=6), st.sampled_from(["a", "b a", "a+ b", ".b", "(ab)+"])
)
def test_overlap_against_characters(words, pattern):
    text = Text.from_words(words)
    covered = {at for match in re.finditer(pattern, text.text) for at in range(*match.span())}
    expected = [("p",) if covered & set(range(start, end)) else () for start, end in text.spans]
    assert annotate(TextRegexSource((("p", pattern),)), text) == expected


@pytest.mark.parametrize("kind", [WordRegexSource, TextRegexSource])
def test_broken_patterns(kind):
    with pytest.raises(ConceptError) as caught:
        kind((("a", "x"), ("b", "x(y")))
    assert str(caught.value) == (
        "Pattern 'b' = 'x(y' is broken: missing ), unterminated subpattern at character 2. "
        "Expected: a regular expression of Python."
    )
    with pytest.raises(ConceptError, match=r"Pattern 'x' has the name 'a'. Expected: one name for each pattern"):
        kind((("a", "x"), ("a", "y")))
    with pytest.raises(ConceptError, match="Pattern 'x' has the name ''"):
        kind((("", "x"),))


@pytest.mark.parametrize("kind", [WordRegexSource, TextRegexSource])
def test_joined(kind):
    assert kind((("a", "x"),), 2).joined(kind((("b", "y"),), 2)) == kind((("a", "x"), ("b", "y")), 2)
