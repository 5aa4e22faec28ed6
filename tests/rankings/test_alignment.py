"""Sites in common: dropped words, other words, other orders, other corpora."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from unitscope.activations import Activations
from unitscope.concepts.table import ConceptTable
from unitscope.errors import RankingError
from unitscope.rankings.alignment import OWN, align
from unitscope.rankings.correlation import cross_model
from unitscope.study.prepare import Sites

ITEMS, WORDS = 30, 6


def model(
    keep: np.ndarray | None = None, seed: int = 0, width: int = 3, order: np.ndarray | None = None
) -> Activations:
    """Activations over items of six words; `keep` says which sites the model has, `order` how items are read."""
    item, position = (part.reshape(-1) for part in np.mgrid[:ITEMS, :WORDS].astype(np.int32))
    keep = np.ones(len(item), bool) if keep is None else keep
    values = np.random.default_rng(seed).standard_normal((len(item), width)).astype(np.float32)
    names = [f"item {i}" for i in (range(ITEMS) if order is None else order)]
    length = np.full(keep.sum(), WORDS, np.int32)
    table = ConceptTable((), (), np.zeros(1, np.int64), np.zeros(0, np.int32), int(keep.sum()))
    found = Activations.of_arrays(
        {"layer": values[keep]}, table, sites=Sites(item[keep], position[keep], length, length)
    )
    return replace(found, item_ids=tuple(names))


def spoken(of: Activations, words: list[str], monkeypatch: pytest.MonkeyPatch, known: dict[int, list[str]]) -> None:
    known[id(of)] = words
    monkeypatch.setattr("unitscope.rankings.alignment._words", lambda each: known.get(id(each)))


def test_equal_sites_are_left_as_they_are() -> None:
    x, y = model(), model(seed=1)
    found = align(x, {"y": y})
    assert found.x is x
    assert found.others["y"] is y
    assert dict(found.dropped) == {OWN: 0, "y": 0}
    assert found.told == ""


def test_words_that_a_model_lacks_are_left_out_for_all_and_counted() -> None:
    draw = np.random.default_rng(0)
    keeps = [draw.random(ITEMS * WORDS) < share for share in (0.9, 0.8, 1.1)]
    x, y, z = (model(keep, seed) for seed, keep in enumerate(keeps))
    found = align(x, {"y": y, "z": z})
    both = keeps[0] & keeps[1]
    whole = [model(None, seed).values() for seed in range(3)]
    for matrix, values in zip((found.x, *found.others.values()), whole):
        rows = [(rows, part) for rows, part in matrix.blocks()]
        assert np.array_equal(np.concatenate([part for _, part in rows]), values[both])
        assert rows[-1][0].stop == matrix.n_sites == both.sum()
    assert dict(found.dropped) == {
        OWN: keeps[0].sum() - both.sum(),
        "y": keeps[1].sum() - both.sum(),
        "z": ITEMS * WORDS - both.sum(),
    }
    assert np.array_equal(found.halves.half, x.halves.half[found.keep])
    assert "of this model" in found.told
    assert "of z" in found.told
    assert cross_model(found.x, found.others, found.halves).max_corr.shape == (3,)


def test_places_with_another_word_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, known = model(), model(seed=1), {}
    words = [f"w{i}" for i in range(ITEMS * WORDS)]
    spoken(x, words, monkeypatch, known)
    spoken(y, [*words[:-2], "other", "words"], monkeypatch, known)
    found = align(x, {"y": y})
    assert (found.words_differ, found.x.n_sites) == (2, ITEMS * WORDS - 2)


def test_other_corpora_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    x, y, known = model(), model(seed=1), {}
    with pytest.raises(RankingError, match="'y' and this model are not the same: they have no site in common"):
        align(x, {"y": replace(y, item_ids=tuple(f"else {i}" for i in range(ITEMS)))})
    spoken(x, ["a"] * ITEMS * WORDS, monkeypatch, known)
    spoken(y, ["b"] * ITEMS * WORDS, monkeypatch, known)
    with pytest.raises(RankingError, match="180 of 180 common places hold other words"):
        align(x, {"y": y})


def test_no_site_in_all_of_three_is_refused() -> None:
    even = np.arange(ITEMS * WORDS) % 2 == 0
    with pytest.raises(RankingError, match="no site is in all of them"):
        align(model(), {"even": model(even), "odd": model(~even)})


def test_other_orders_and_grids_are_refused() -> None:
    with pytest.raises(RankingError, match=r"The items of 'y' are in another order\. Expected: the same corpus"):
        align(model(), {"y": model(order=np.arange(ITEMS)[::-1])})
    with pytest.raises(RankingError, match="'y' is on the grid 'item', this model on 'source'"):
        align(model(), {"y": replace(model(), grid="item")})
