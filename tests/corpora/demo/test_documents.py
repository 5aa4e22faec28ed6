"""Templates, the loop over documents, and the time it takes."""

import time

import pytest

from unitscope.corpora.demo.documents import acceptable, documents, template_halves, templates, write
from unitscope.corpora.demo.drafts import Draft
from unitscope.corpora.demo.lexicon import load_lexicon
from unitscope.corpora.demo.nominals import pronominal
from unitscope.corpora.demo.tree import Word, phrase
from unitscope.sites import Text


def test_writing_everything_takes_less_than_two_seconds():
    start = time.process_time()
    n = sum(1 for _ in documents(5, 400))
    assert n >= 4000
    assert time.process_time() - start < 2.0


def test_every_template_is_used_and_has_a_half(items):
    dealt = {name for name, _ in templates()}
    assert dealt == set(template_halves()) == {item.labels["template"] for item in items}
    assert {name for name, _ in templates("A")}.isdisjoint(name for name, _ in templates("B"))


def test_fewer_documents_are_a_prefix():
    assert [i.id for i in documents(1, 3)] == [i.id for i in documents(1, 5) if i.group < "demo-003"]
    assert [i.grids["source"].text for i in documents(1, 3)] == [
        i.grids["source"].text for i in documents(1, 5) if i.group < "demo-003"
    ]


def test_seeds_differ():
    assert [i.grids["source"].text for i in documents(1, 2)] != [i.grids["source"].text for i in documents(2, 2)]


def test_write_ends_the_sentence():
    she = pronominal("she")
    run = Word("ran", "run", "VERB", "VBD")
    draft = Draft(phrase("S", ("nsubj", she.phrase), ("head", run)), end="!")
    text = write(draft, load_lexicon())
    assert text.text == "She ran!"
    assert text.columns["head"] == ("2", "0", "2")


@pytest.mark.parametrize(
    ("words", "tags", "fits"),
    [
        ("She ran home .", "PRON VERB ADV PUNCT", True),
        ("She ran .", "PRON VERB PUNCT", False),
        ("12 men ran .", "NUM NOUN VERB PUNCT", False),
        ("Men like men .", "NOUN VERB NOUN PUNCT", False),
        ("She saw her and left .", "PRON VERB PRON CCONJ VERB PUNCT", True),
    ],
)
def test_acceptable(words, tags, fits):
    forms = words.split()
    columns = {"upos": tuple(tags.split()), "lemma": tuple(w.lower() for w in forms), "meaning": ("",) * len(forms)}
    assert acceptable(Text.from_words(forms, columns)) is fits
