import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts import parse_sources
from unitscope.concepts.phrases import PhraseSource
from unitscope.corpora.demo import DemoCorpus
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text


def item(columns, n=None):
    n = n or len(next(iter(columns.values())))
    return Item("1", "g", {"source": Text.from_words(["w"] * n, columns)})


# "The old dog saw a river."
TREE = {
    "head": ("3", "3", "4", "0", "6", "4", "4"),
    "deprel": ("det", "amod", "nsubj", "root", "det", "obj", "punct"),
    "upos": ("DET", "ADJ", "NOUN", "VERB", "DET", "NOUN", "PUNCT"),
}


def test_subtrees():
    subject, object_ = ("rel=nsubj", "head=NOUN"), ("rel=obj", "head=NOUN")
    assert PhraseSource().annotate(item(TREE), "source") == [subject] * 3 + [()] + [object_] * 2 + [()]


def test_edges():
    said = PhraseSource(edges=True).annotate(
        item({"head": ("2", "0", "4", "2"), "deprel": ("det", "root", "det", "obj")}), "source"
    )
    assert said == [(), (), ("rel=obj", "rel=obj begins"), ("rel=obj", "rel=obj ends")]


def test_constituents():
    gold = item({"constituents": ("S:0 NP:1", "S:0 NP:1", "S:0 VP:2 NP:3", "S:0")})
    assert PhraseSource().annotate(gold, "source") == [("S", "NP"), ("S", "NP"), ("S", "VP", "NP"), ("S",)]
    edges = PhraseSource(edges=True).annotate(gold, "source")
    assert set(edges[2]) == {"S", "VP", "VP begins", "VP ends", "NP", "NP begins", "NP ends"}
    assert PhraseSource().annotate(item({"constituents": ("S:0", None)}), "source") == [None, None]


def test_what_is_no_tree_is_not_known():
    for heads in (("2", "1"), ("1", "0"), ("9", "0"), (None, "0"), ("x", "0")):
        assert PhraseSource().annotate(item({"head": heads, "deprel": ("a", "b")}), "source") == [None, None]
    assert PhraseSource().annotate(item({}, 2), "source") == [None, None]


def naive(heads, relations):
    """Names over each word, by asking for every pair whether one is above the other."""

    def above(top, word):
        while word >= 0:
            if word == top:
                return True
            word = heads[word] - 1
        return False

    n = len(heads)
    members = {top: [w for w in range(n) if above(top, w)] for top in range(n) if heads[top]}
    return [{f"rel={relations[t]}" for t, words in members.items() if len(words) > 1 and w in words} for w in range(n)]


@given(st.data())
def test_against_pairs_of_words(data):
    n = data.draw(st.integers(1, 8))
    heads = [0] + [data.draw(st.integers(1, at)) for at in range(1, n)]
    relations = [data.draw(st.sampled_from("abc")) for _ in range(n)]
    said = PhraseSource().annotate(item({"head": tuple(map(str, heads)), "deprel": tuple(relations)}), "source")
    assert [set(names) for names in said] == naive(heads, relations)


def test_specs():
    demo = DemoCorpus(n_documents=1)
    assert parse_sources(["phrases:edges@5"], demo) == [PhraseSource(True, 5)]
    with pytest.raises(ConceptError, match=r"Got 'phrases:edge'. Expected: phrases or phrases:edges."):
        parse_sources(["phrases:edge"], demo)
