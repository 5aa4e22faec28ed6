from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.ngrams import NgramSource
from unitscope.errors import ConceptError
from unitscope.sites import Item, Text


class Fixed:
    name, grids, columns = "fixed", ("source",), ()

    def __init__(self, texts):
        self.texts = texts

    def fingerprint(self):
        return repr(self.texts)

    def __iter__(self):
        return (Item(str(i), "g", {"source": Text.from_words(words)}) for i, words in enumerate(self.texts))


def naive(texts, n, least):
    grams = Counter(
        tuple(w.lower() for w in words[at : at + size])
        for words in texts
        for size in range(2, n + 1)
        for at in range(len(words) - size + 1)
    )
    return [
        [
            tuple(
                " ".join(gram)
                for size in range(2, n + 1)
                if at + 1 >= size and grams[gram := tuple(w.lower() for w in words[at + 1 - size : at + 1])] >= least
            )
            for at in range(len(words))
        ]
        for words in texts
    ]


@given(
    texts=st.lists(st.lists(st.sampled_from(["a", "B", "b", "c"]), max_size=7), max_size=6),
    n=st.integers(2, 5),
    least=st.integers(1, 4),
)
def test_against_counting_everything(texts, n, least):
    corpus = Fixed(texts)
    source = NgramSource(n, least, corpus)
    assert [source.annotate(item, "source") for item in corpus] == naive(texts, n, least)


def test_repr_is_the_parameters():
    assert repr(NgramSource(3, 5, Fixed([]))) == "NgramSource(n=3, min_sites=5)"


def test_mistakes():
    for n in (1, 6):
        with pytest.raises(ConceptError, match=rf"Got n-grams of {n} words. Expected: from 2 to 5."):
            NgramSource(n)
    with pytest.raises(ConceptError, match="was given no corpus"):
        NgramSource().annotate(Item("1", "g", {"source": Text.from_words(["a"])}), "source")
