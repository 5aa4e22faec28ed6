"""Noun phrases and what agrees with them."""

import pytest

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.lexicon import Noun, load_lexicon
from unitscope.corpora.demo.nominals import adjective_word, graded, meaning_of, named, noun_phrase, pronominal
from unitscope.corpora.demo.tree import flatten

CAR = Noun("strik+er", (), "count", frozenset({"human", "role"}), ())


def test_noun_phrase_counts_and_segments():
    lexicon = load_lexicon()
    many = noun_phrase(lexicon, CAR, "Plur", (("det", closed.article(True)),))
    text = flatten(many.phrase)
    assert text.text == "The strikers"
    assert text.columns["morphemes"] == ("The", "strik+er+s")
    assert text.columns["meaning"] == ("", "role")
    assert many.agreement == ("Plur", "3")
    assert many.anaphor == "they"


@pytest.mark.parametrize(
    ("lemma", "number", "person"),
    [("I", "Sing", "1"), ("you", "Plur", "2"), ("she", "Sing", "3"), ("they", "Plur", "3")],
)
def test_pronouns(lemma, number, person):
    nominal = pronominal(lemma)
    assert nominal.agreement == (number, person)
    assert nominal.anaphor == lemma
    assert flatten(nominal.as_object).text.lower() == closed.PRONOUNS[lemma][0]


def test_names_are_flat_and_gendered():
    anna = named(("Anna", "Carter"), "Fem")
    assert anna.anaphor == "she"
    text = flatten(anna.phrase)
    assert text.columns["deprel"] == ("root", "flat")
    assert text.columns["meaning"] == ("name", "name")


def test_degrees_and_meanings():
    lexicon = load_lexicon()
    assert flatten(graded(lexicon, "boring", "Cmp")).text == "More boring"
    assert flatten(graded(lexicon, "cold", "Sup")).columns["feats"] == ("Degree=Sup",)
    assert adjective_word(lexicon, "green").meaning == "color"
    assert adjective_word(lexicon, "unfair").morphemes == "un+fair"
    assert adjective_word(lexicon, "terrible").meaning == "negative"
    assert meaning_of(lexicon, "cow", frozenset({"animal"})) == "animal"
