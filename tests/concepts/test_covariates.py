import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.concepts.covariates import CovariateSource, capital_flag, form_counts, site_covariates
from unitscope.sites import Item, Text


class Fixed:
    name, grids, columns = "fixed", ("source", "target"), ()

    def __init__(self, *texts):
        self.items = [
            Item(str(i), "g", {"source": Text.from_words(text), "target": Text.from_words(["t"] * 12)})
            for i, text in enumerate(texts)
        ]
        self.n_passes = 0

    def fingerprint(self):
        return "f"

    def __iter__(self):
        self.n_passes += 1
        return iter(self.items)


def test_bins_and_flags():
    corpus = Fixed(["The", "USA"], ["the"] * 9, ["B2B", "4th", "x", "iPhone", "I", "once"])
    source = CovariateSource(corpus=corpus)
    first = [set(entry) for entry in source.annotate(corpus.items[0], "source")]
    assert first == [
        {"frequency 10-99", "capitalised", "length 1-5"},
        {"frequency 1", "capitalised", "all caps", "length 1-5"},
    ]
    third = [set(entry) - {"frequency 1", "length 6-10"} for entry in source.annotate(corpus.items[2], "source")]
    assert third == [{"capitalised", "all caps", "has digit"}, {"has digit"}, set(), set(), {"capitalised"}, set()]
    assert corpus.n_passes == 1
    assert source.category == "covariates"


def test_each_grid_is_counted_for_itself():
    corpus = Fixed(["t"])
    source = CovariateSource(corpus=corpus)
    assert set(source.annotate(corpus.items[0], "target")[0]) == {"frequency 10-99", "length 11-20"}
    assert set(source.annotate(corpus.items[0], "source")[0]) == {"frequency 1", "length 1-5"}
    assert form_counts(corpus, "target") == {"t": 12}


@pytest.mark.parametrize(
    ("n", "length"),
    [(5, "1-5"), (6, "6-10"), (10, "6-10"), (11, "11-20"), (20, "11-20"), (21, "21-40"), (40, "21-40"), (41, "41+")],
)
def test_edges_of_length_and_no_frequency_without_a_corpus(n, length):
    (item,) = Fixed(["w"] * n).items
    assert CovariateSource().annotate(item, "source") == [(f"length {length}",)] * n


@pytest.mark.parametrize(
    ("n", "name"),
    [
        (1, "1"),
        (2, "2-9"),
        (9, "2-9"),
        (10, "10-99"),
        (99, "10-99"),
        (100, "100-999"),
        (999, "100-999"),
        (1000, "1000+"),
    ],
)
def test_edges_of_frequency(n, name):
    corpus = Fixed(["w"] * n)
    assert f"frequency {name}" in CovariateSource(corpus=corpus).annotate(corpus.items[0], "source")[0]


def test_the_corpus_is_no_part_of_the_description():
    assert CovariateSource(corpus=Fixed(["a"])) == CovariateSource(corpus=Fixed(["b"]))
    assert repr(CovariateSource(corpus=Fixed(["a"]))) == "CovariateSource(min_sites=20)"


@given(st.lists(st.sampled_from(["a", "Bank", "USA", "I", "3D", "B2B", "ǅ"]), max_size=30))
def test_site_covariates_against_a_loop(words):
    found = site_covariates(Text.from_words(words))
    flags = {"a": 0, "Bank": 1, "USA": 2, "I": 1, "3D": 0, "B2B": 2, "ǅ": 1}
    for site, word in enumerate(words):
        assert found.position[site] == site
        assert found.length[site] == len(words)
        assert found.tenth[site] == int(10 * site / len(words) + 1e-9)
        assert found.capitals[site] == flags[word] == capital_flag(word)
    arrays = (found.position, found.length, found.tenth, found.capitals)
    assert all(values.shape == (len(words),) for values in arrays)
    assert [values.dtype for values in arrays] == [np.int32, np.int32, np.int8, np.int8]
