"""Closed-class words."""

import pytest

from unitscope.corpora.demo import closed
from unitscope.corpora.demo.lexicon import load_lexicon


@pytest.mark.parametrize(
    ("word", "form", "lemma", "upos", "xpos", "feats"),
    [
        (closed.pronoun("she", "Acc"), "her", "she", "PRON", "PRP",
         "Case=Acc|Gender=Fem|Number=Sing|Person=3|PronType=Prs"),
        (closed.possessive("she"), "her", "her", "PRON", "PRP$",
         "Case=Gen|Gender=Fem|Number=Sing|Person=3|Poss=Yes|PronType=Prs"),
        (closed.demonstrative("that", "Plur"), "those", "that", "DET", "DT", "Number=Plur|PronType=Dem"),
        (closed.to_particle(), "to", "to", "PART", "TO", ""),
        (closed.adposition("to"), "to", "to", "ADP", "IN", ""),
        (closed.not_particle(contracted=True), "n't", "not", "PART", "RB", "Polarity=Neg"),
        (closed.modal("can", before_nt=True), "ca", "can", "AUX", "MD", "VerbForm=Fin"),
        (closed.numeral("7:30"), "7:30", "7:30", "NUM", "CD", "NumForm=Digit|NumType=Card"),
        (closed.wh_pronoun("whom", relative=True), "whom", "who", "PRON", "WP", "PronType=Rel"),
        (closed.determiner("no"), "no", "no", "DET", "DT", "PronType=Neg"),
        (closed.possessive_s("boys"), "'", "'s", "PART", "POS", ""),
    ],
)  # fmt: skip
def test_words(word, form, lemma, upos, xpos, feats):
    assert (word.form, word.lemma, word.upos, word.xpos, word.feats) == (form, lemma, upos, xpos, feats)


def test_meanings_of_one_form_depend_on_its_use():
    assert closed.wh_pronoun("who").meaning == "wh_question"
    assert closed.wh_pronoun("who", relative=True).meaning == ""
    assert closed.subordinator("when").meaning == ""
    assert closed.wh_adverb("when").meaning == "wh_question"
    assert closed.numeral("seven", time=True).meaning == "number|number_time"


@pytest.mark.parametrize(
    ("form", "surface", "xpos", "feats"),
    [
        ("pres", "stops", "VBZ", "Mood=Ind|Number=Sing|Person=3|Tense=Pres|VerbForm=Fin"),
        ("past", "stopped", "VBD", "Mood=Ind|Number=Sing|Person=3|Tense=Past|VerbForm=Fin"),
        ("part", "stopped", "VBN", "Tense=Past|VerbForm=Part"),
        ("pass", "stopped", "VBN", "Tense=Past|VerbForm=Part|Voice=Pass"),
        ("prog", "stopping", "VBG", "Tense=Pres|VerbForm=Part"),
        ("ger", "stopping", "VBG", "VerbForm=Ger"),
        ("inf", "stop", "VB", "VerbForm=Inf"),
        ("imp", "stop", "VB", "Mood=Imp|Person=2|VerbForm=Fin"),
    ],
)
def test_verb_forms(form, surface, xpos, feats):
    word = closed.verb("stop", form, load_lexicon().inflection, "", ("Sing", "3"))
    assert (word.form, word.xpos, word.feats, word.lemma) == (surface, xpos, feats, "stop")
