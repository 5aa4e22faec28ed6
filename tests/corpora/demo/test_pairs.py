"""Minimal pairs differ just as they say."""

import pytest

from unitscope.corpora.demo import PHENOMENA, minimal_pairs
from unitscope.corpora.demo.pairs import site_of
from unitscope.errors import CorpusError
from unitscope.sites import Text

ONE_WORD = ("number", "tense", "negation", "person", "polarity_word")
SAME_FORM = {
    "noun_verb": ({"NOUN"}, {"VERB"}),
    "that": ({"DET"}, {"SCONJ"}),
    "to": ({"ADP"}, {"PART"}),
    "her": ({"PRP"}, {"PRP$"}),
}


def drawn(phenomenon, n=80):
    for first, second, site in minimal_pairs(phenomenon, n):
        yield first, second, site, first.grids["source"], second.grids["source"]


def column(text, name, site):
    return text.columns[name][site]


@pytest.mark.parametrize("phenomenon", PHENOMENA)
def test_draws_n_different_repeatable_pairs(phenomenon):
    pairs = list(minimal_pairs(phenomenon, 80))
    texts = {(a.grids["source"].text, b.grids["source"].text) for a, b, _ in pairs}
    assert len(pairs) == len(texts) == 80
    assert all(a.group == b.group and a.id != b.id for a, b, _ in pairs)
    again = list(minimal_pairs(phenomenon, 5))
    assert [(a.to_json(), b.to_json(), site) for a, b, site in again] == [
        (a.to_json(), b.to_json(), site) for a, b, site in pairs[:5]
    ]
    other = next(minimal_pairs(phenomenon, 1, seed=9))
    assert other[0].to_json() != pairs[0][0].to_json()


@pytest.mark.parametrize("phenomenon", ONE_WORD)
def test_one_word_differs(phenomenon):
    for _, _, site, one, other in drawn(phenomenon):
        differing = [i for i, (a, b) in enumerate(zip(one.words, other.words, strict=True)) if a != b]
        assert differing == [site]


def test_number_tense_person():
    for _, _, site, one, other in drawn("number"):
        assert (column(one, "xpos", site), column(other, "xpos", site)) == ("NN", "NNS")
        assert column(one, "lemma", site) == column(other, "lemma", site)
        assert column(one, "deprel", site).startswith("nsubj")
    for first, second, site, one, other in drawn("tense"):
        assert column(one, "xpos", site) == "VBD"
        assert column(other, "xpos", site) in ("VBZ", "VBP")
        assert column(one, "lemma", site) == column(other, "lemma", site)
        assert (first.labels["tense"], second.labels["tense"]) == ("past", "present")
    for _, _, site, one, other in drawn("person"):
        assert "Person=1" in column(one, "feats", site)
        assert "Person=3" in column(other, "feats", site)


def test_negation_polarity_question():
    for first, second, site, one, other in drawn("negation"):
        assert (first.labels["polarity"], second.labels["polarity"]) == ("affirmative", "negative")
        assert column(one, "meaning", site) == ""
        assert column(other, "meaning", site) == "negation"
    for first, second, site, one, other in drawn("polarity_word"):
        assert column(one, "meaning", site) == "positive"
        assert column(other, "meaning", site) == "negative"
        assert (first.labels["sentiment"], second.labels["sentiment"]) == ("positive", "negative")
    for first, second, site, one, other in drawn("question"):
        assert site == 0
        assert (first.labels["type"], second.labels["type"]) == ("declarative", "yesno_question")
        assert sorted((*one.words[1:-1], one.words[0].lower())) != list(one.words)
        assert sorted(w.lower() for w in one.words[:-1]) == sorted(w.lower() for w in other.words[:-1])
        assert other.columns["upos"][0] == "AUX"


@pytest.mark.parametrize("phenomenon", SAME_FORM)
def test_one_form_two_tags_behind_the_same_words(phenomenon):
    wanted = SAME_FORM[phenomenon]
    tag = "xpos" if phenomenon == "her" else "upos"
    for _, _, site, one, other in drawn(phenomenon):
        assert one.words[site] == other.words[site]
        assert column(one, tag, site) in wanted[0]
        assert column(other, tag, site) in wanted[1]
        left = site - 1 if phenomenon == "noun_verb" else site
        assert one.words[:left] == other.words[:left]
        if phenomenon == "noun_verb":
            assert (one.words[left] in ("a", "an"), other.words[left]) == (True, "to")
            assert one.words[site:] == other.words[site:]


def test_site_of_says_none_where_nothing_differs():
    text = Text.from_words(["a", "b"], {"upos": ("X", "Y"), "xpos": ("X", "Y")})
    assert all(site_of(phenomenon, text, text) is None for phenomenon in PHENOMENA)


def test_errors():
    with pytest.raises(
        CorpusError, match=r"Phenomenon 'nummber' is unknown\. Expected: one of .*Closest: 'number', 'noun_verb'\."
    ):
        minimal_pairs("nummber", 1)
    with pytest.raises(CorpusError, match=r"Got n=-1 pairs\. Expected: 0 or more\."):
        minimal_pairs("number", -1)
    assert list(minimal_pairs("number", 0)) == []
