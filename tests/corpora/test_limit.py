from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.corpora.base import Corpus, corpus_notes, label_names, read_items
from unitscope.corpora.limit import CopiedTarget, FirstItems, FirstPerGroup
from unitscope.errors import CorpusError
from unitscope.sites import Item, Text


class Fixed:
    """A corpus of one-word items in the groups given; counts what was read."""

    name, columns = "fixed", ("upos",)

    def __init__(self, groups, grids=("source",)):
        self.groups, self.grids, self.n_read = groups, grids, 0

    def fingerprint(self):
        return "f"

    def __iter__(self):
        for index, group in enumerate(self.groups):
            self.n_read += 1
            yield Item(str(index), group, {name: Text.from_words([f"w{index}"]) for name in self.grids}, {"a": "b"})


def test_first_items_reads_no_further():
    corpus = Fixed("aabb")
    view = FirstItems(corpus, 2)
    assert [item.id for item in view] == ["0", "1"]
    assert corpus.n_read == 2
    assert [item.id for item in view] == ["0", "1"]
    assert isinstance(view, Corpus)
    assert (view.name, view.grids, view.columns) == ("fixed[:2]", ("source",), ("upos",))


@given(st.text("abc", max_size=12), st.integers(1, 4))
def test_first_per_group_against_grouping_by_hand(groups, n):
    by_group = defaultdict(list)
    for index, group in enumerate(groups):
        by_group[group].append(index)
    expected = sorted(index for members in by_group.values() for index in members[:n])
    view = FirstPerGroup(Fixed(groups), n)
    assert [int(item.id) for item in view] == expected
    assert view.name == f"fixed[{n} per group]"


def test_copied_target():
    view = CopiedTarget(Fixed("ab"))
    items = list(view)
    assert view.grids == ("source", "target")
    assert view.name == "fixed[target=copy]"
    assert all(item.grids["target"] is item.grids["source"] for item in items)
    assert [(item.id, item.group, item.labels) for item in items] == [("0", "a", {"a": "b"}), ("1", "b", {"a": "b"})]


def test_fingerprints_tell_views_apart():
    corpus = Fixed("ab")
    views = [FirstItems(corpus, 1), FirstItems(corpus, 2), FirstPerGroup(corpus, 1), CopiedTarget(corpus), corpus]
    assert len({view.fingerprint() for view in views}) == 5
    assert FirstItems(corpus, 1).fingerprint() == views[0].fingerprint()


def test_limits_below_one():
    with pytest.raises(CorpusError, match=r"Got max_items=0. Expected: at least 1."):
        FirstItems(Fixed("a"), 0)
    with pytest.raises(CorpusError, match=r"Got per_group=-1. Expected: at least 1."):
        FirstPerGroup(Fixed("a"), -1)


@pytest.mark.parametrize("grids", [("source", "target"), ("image",)])
def test_target_cannot_be_copied(grids):
    with pytest.raises(CorpusError) as caught:
        CopiedTarget(Fixed("a", grids))
    assert str(caught.value) == (
        f"Cannot copy the source of 'fixed': its grids are {', '.join(grids)}. "
        "Expected: a grid 'source' and no 'target'. Leave target='copy' out."
    )


class Counting(Fixed):
    labels, notes = ("a",), ("read as it is",)

    def read(self, counts):
        for item in self:
            if item.group == "-":
                counts["dashes"] += 1
            else:
                yield item


@pytest.mark.parametrize(
    ("wrap", "n_items", "n_counted"),
    [
        (lambda corpus: corpus, 3, 3),
        (lambda corpus: FirstItems(corpus, 2), 2, 2),
        (lambda corpus: FirstPerGroup(corpus, 1), 2, 3),
        (lambda corpus: FirstItems(FirstPerGroup(CopiedTarget(corpus), 1), 1), 1, 1),
    ],
)
def test_views_pass_on_what_was_counted_labels_and_notes(wrap, n_items, n_counted):
    corpus = wrap(Counting("-a-a-b"))
    counts = Counter()
    assert len(list(read_items(corpus, counts))) == n_items
    assert counts == {"dashes": n_counted}
    assert (label_names(corpus), corpus_notes(corpus)) == (("a",), ("read as it is",))


def test_a_corpus_that_counts_nothing():
    counts = Counter()
    assert len(list(read_items(FirstItems(Fixed("ab"), 5), counts))) == 2
    assert not counts
    assert label_names(Fixed("a")) == corpus_notes(Fixed("a")) == ()


def test_names_used_for_something_else_are_left_alone():
    corpus = Fixed("a")
    corpus.labels, corpus.notes = {"a": 1}, "text"
    assert label_names(corpus) == corpus_notes(corpus) == ()
