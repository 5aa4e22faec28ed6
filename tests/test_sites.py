import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import CorpusError
from unitscope.sites import Item, Text

WORDS = st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6), max_size=8)


@given(WORDS, st.data())
def test_spans_give_the_words_back(words, data):
    blanks = data.draw(st.lists(st.booleans(), min_size=len(words), max_size=len(words)))
    text = Text.from_words(words, space_after=blanks)
    assert text.words == tuple(words)
    assert text.n_sites == len(words)
    ends = [0, *(end for _, end in text.spans)]
    assert all(start >= end for (start, _), end in zip(text.spans, ends))


def test_blanks_everywhere_by_default_and_none_at_the_end():
    assert Text.from_words(["a", "cat"]).text == "a cat"
    assert Text.from_words(["a", "cat"], space_after=[True, True]).text == "a cat"
    assert Text.from_words(["It", "'s"], space_after=[False, True]).text == "It's"


def test_no_words():
    text = Text.from_words([])
    assert (text.text, text.n_sites, text.words) == ("", 0, ())


def test_columns_are_kept_and_cannot_be_written():
    text = Text.from_words(["a", "cat"], {"upos": ("DET", None)})
    assert text.columns["upos"] == ("DET", None)
    with pytest.raises(TypeError):
        text.columns["upos"] = ()


def test_a_column_of_another_length_is_named():
    with pytest.raises(CorpusError) as caught:
        Text.from_words(["a", "cat"], {"upos": ("DET",)})
    assert str(caught.value) == "Column 'upos' has 1 values for 2 words. Expected: one value a word."


def test_the_given_columns_can_change_without_changing_the_text():
    columns = {"upos": ("DET", "NOUN")}
    text = Text.from_words(["a", "cat"], columns)
    columns["lemma"] = ("a", "cat")
    assert set(text.columns) == {"upos"}


def test_items_cannot_be_written():
    item = Item("d1-1", "d1", {"source": Text.from_words(["a"])})
    with pytest.raises(dataclasses.FrozenInstanceError):
        item.id = "other"


def test_json_keeps_what_a_model_needs():
    grids = {"source": Text.from_words(["naïve", "\N{GRINNING FACE}"]), "target": Text.from_words([])}
    item = Item("d1-1", "d1", grids)
    back = Item.from_json(json.loads(json.dumps(item.to_json())))
    assert back == item


def test_json_leaves_annotation_out():
    item = Item("d1-1", "d1", {"source": Text.from_words(["a"], {"upos": ("DET",)})}, {"class": "letter"})
    back = Item.from_json(item.to_json())
    assert back.grids["source"].columns == {}
    assert back.labels == {}
    assert "DET" not in json.dumps(item.to_json())
