import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.corpora.txt import TxtCorpus, split_words
from unitscope.errors import CorpusError


def words(text):
    return [text[start:end] for start, end in split_words(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A cat sat.", ["A", "cat", "sat", "."]),
        ("don't we'll rock’n’roll", ["don't", "we'll", "rock’n’roll"]),
        ("a well-known co-op", ["a", "well-known", "co-op"]),
        ("the dogs' end- -x", ["the", "dogs", "'", "end", "-", "-", "x"]),
        ("$1,000.50, at 10:30.", ["$", "1,000.50", ",", "at", "10:30", "."]),
        ("wait...what?!", ["wait", "...", "what", "?", "!"]),
        ("one--two — three", ["one", "--", "two", "—", "three"]),
        ("end.Next a,b", ["end", ".", "Next", "a", ",", "b"]),
        ("v2.0 x.5", ["v2.0", "x", ".", "5"]),
        ("snake_case (x)", ["snake_case", "(", "x", ")"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("cafe\u0301 nai\u0308ve", ["cafe\u0301", "nai\u0308ve"]),
        ("I \u2764\ufe0f you", ["I", "\u2764\ufe0f", "you"]),
        ("\u0301 x", ["\u0301", "x"]),
        ("a\x00b", ["a", "\x00", "b"]),
        ("", []),
    ],
)
def test_words(text, expected):
    assert words(text) == expected


@given(st.text(max_size=40))
def test_all_but_white_space_is_in_exactly_one_word(text):
    spans = split_words(text)
    at = 0
    for start, end in (*spans, (len(text), len(text) + 1)):
        assert start >= at
        assert text[at:start].strip() == ""
        assert end > start
        at = end
    assert all(not character.isspace() for start, end in spans for character in text[start:end])


def test_groups_are_runs_between_blank_lines(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\nOne a.\n Two. \n\n \t\nThree\n\nFour\n")
    items = list(TxtCorpus(path))
    assert [(item.id, item.group) for item in items] == [("2", "doc#1"), ("3", "doc#1"), ("6", "doc#2"), ("8", "doc#3")]
    assert [item.grids["source"].text for item in items] == ["One a.", "Two.", "Three", "Four"]
    assert items[0].grids["source"].words == ("One", "a", ".")
    assert list(TxtCorpus(path)) == items


def test_without_blank_lines_there_is_one_group(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("x\n" * 50)
    corpus = TxtCorpus(path)
    assert {item.group for item in corpus} == {"doc#1"}
    assert (corpus.name, corpus.grids, corpus.columns) == ("a.txt", ("source",), ())


@pytest.mark.parametrize("content", ["", "\n \n"])
def test_no_text(tmp_path, content):
    path = tmp_path / "a.txt"
    path.write_text(content)
    with pytest.raises(CorpusError) as caught:
        list(TxtCorpus(path))
    assert str(caught.value) == "a.txt holds no text. Expected: one sentence a line."
