"""English inflection against forms written out by hand."""

import pytest

from unitscope.corpora.demo.inflection import surface
from unitscope.corpora.demo.lexicon import load_lexicon


@pytest.fixture(scope="module")
def inflection():
    return load_lexicon().inflection


@pytest.mark.parametrize(
    ("noun", "plural"),
    [
        ("dog", "dog+s"), ("bus", "buses"), ("box", "box+es"), ("city", "citi+es"), ("hero", "hero+es"),
        ("piano", "piano+s"), ("day", "day+s"), ("gentleman", "gentlemen"), ("child", "children"),
        ("fish+er+man", "fish+er+men"), ("sheep", "sheep"), ("tooth", "teeth"), ("match", "match+es"),
        ("strik+er", "strik+er+s"), ("wife", "wives"),
    ],
)  # fmt: skip
def test_plural(inflection, noun, plural):
    assert inflection.plural(noun) == plural


@pytest.mark.parametrize(
    ("verb", "forms"),
    [
        ("walk", "walks walked walked walking"), ("bake", "bakes baked baked baking"),
        ("stop", "stops stopped stopped stopping"), ("carry", "carries carried carried carrying"),
        ("play", "plays played played playing"), ("write", "writes wrote written writing"),
        ("run", "runs ran run running"), ("lie", "lies lied lied lying"), ("have", "has had had having"),
        ("forget", "forgets forgot forgotten forgetting"), ("visit", "visits visited visited visiting"),
        ("catch", "catches caught caught catching"), ("mix", "mixes mixed mixed mixing"),
        ("go", "goes went gone going"), ("cook", "cooks cooked cooked cooking"), ("picnic", "picnics picnicked "
        "picnicked picnicking"), ("see", "sees saw seen seeing"), ("bear", "bears bore born bearing"),
    ],
)  # fmt: skip
def test_verb_forms(inflection, verb, forms):
    made = (inflection.third_person, inflection.past, inflection.participle, inflection.gerund)
    assert [surface(make(verb)) for make in made] == forms.split()


@pytest.mark.parametrize(
    ("word", "comparative", "superlative"),
    [
        ("big", "bigger", "biggest"), ("nice", "nicer", "nicest"), ("happy", "happier", "happiest"),
        ("good", "better", "best"), ("quiet", "quieter", "quietest"), ("boring", None, None),
        ("dangerous", None, None), ("cold", "colder", "coldest"), ("expensive", None, None),
    ],
)  # fmt: skip
def test_degrees(inflection, word, comparative, superlative):
    for made, wanted in ((inflection.comparative(word), comparative), (inflection.superlative(word), superlative)):
        assert (None if made is None else surface(made)) == wanted


def test_every_form_of_the_corpus_is_segmented_at_its_suffix(words):
    """A regular past ends in the piece 'ed', a regular plural in 's' or 'es'."""
    for token in words:
        last = token.morphemes.split("+")[-1]
        if token.xpos == "VBD" and token.form.endswith("ed") and "+" in token.morphemes:
            assert last == "ed"
        if token.xpos == "NNS" and "+" in token.morphemes and token.form.endswith("s"):
            assert last in ("s", "es"), token


def test_no_word_is_misspelled_by_rule(sentences):
    """Letters that English spelling does not have in a row."""
    for sentence in sentences:
        for token in sentence:
            form = token.form.lower()
            assert not any(bad in form for bad in ("iing", "eed+", "sss", "yed ", "yies", "eing ")), form
            assert form not in {"mans", "womans", "childs", "goed", "runned", "writed", "beared", "gooder"}
