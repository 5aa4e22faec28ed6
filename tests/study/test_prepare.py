"""A prepared corpus beside loops over its items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from unitscope.concepts.build import ConceptTableBuilder
from unitscope.concepts.words import PositionSource, WordSource
from unitscope.errors import ConceptError, CorpusError, StoreError
from unitscope.sites import Item, Text
from unitscope.study import prepare as module
from unitscope.study.prepare import Prepared, prepare

SOURCES = (WordSource(min_sites=2), PositionSource(min_sites=2))


@dataclass(frozen=True)
class Pairs:
    """Sentences with their reversal as the target; some are empty."""

    name: str = "pairs"
    grids: tuple[str, ...] = ("source", "target")
    columns: tuple[str, ...] = ()
    without: int = -1

    def fingerprint(self) -> str:
        return "0"

    def __iter__(self) -> Iterator[Item]:
        draw = np.random.default_rng(0)
        for number in range(23):
            words = [str(word) for word in draw.choice(["A", "b", "ü😀", "c-d"], size=draw.integers(0, 5))]
            grids = {"source": Text.from_words(words), "target": Text.from_words(words[::-1])}
            if number == self.without:
                del grids["target"]
            yield Item(f"i{number}", f"g{number // 3}", MappingProxyType(grids))


def lower(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]


@pytest.fixture(autouse=True, scope="module")
def _small_shards() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "ITEMS_PER_SHARD", 10)
        yield


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    return prepare(Pairs(), SOURCES, ["source", "target"], tmp_path_factory.mktemp("work") / "prepared", lower)


def test_items_come_back_in_order_by_shard(prepared: Prepared) -> None:
    assert (prepared.n_shards, prepared.n_items, prepared.grids) == (3, 23, ("source", "target"))
    assert [len(prepared.items(shard)) for shard in range(3)] == [10, 10, 3]
    items = [item for shard in range(3) for item in prepared.items(shard)]
    for mine, theirs in zip(items, Pairs(), strict=True):
        assert (mine.id, mine.group) == (theirs.id, theirs.group)
        for grid in ("source", "target"):
            assert mine.grids[grid].words == theirs.grids[grid].words
            assert mine.grids[grid].text == theirs.grids[grid].text
    assert prepared.groups() == [item.group for item in Pairs()]


@pytest.mark.parametrize("grid", ["source", "target"])
def test_sites_are_the_words_in_corpus_order(grid: str, prepared: Prepared) -> None:
    rows = [
        (number, position, item.grids[grid].n_sites, word.lower())
        for number, item in enumerate(Pairs())
        for position, word in enumerate(item.grids[grid].words)
    ]
    sites = prepared.sites(grid)
    assert prepared.n_sites(grid) == len(rows)
    assert list(zip(sites.item.tolist(), sites.position.tolist(), sites.length.tolist())) == [row[:3] for row in rows]
    forms = list(zip(sites.form.tolist(), (row[3] for row in rows)))
    assert len(set(forms)) == len({number for number, _ in forms}) == len({form for _, form in forms})
    assert {array.dtype for array in vars(sites).values()} == {np.dtype(np.int32)}


@pytest.mark.parametrize("grid", ["source", "target"])
def test_concepts_are_those_of_the_builder(grid: str, prepared: Prepared) -> None:
    builder = ConceptTableBuilder(SOURCES)
    for item in Pairs():
        builder.add(item, grid)
    expected, found = builder.build(), prepared.concepts(grid)
    assert found.names == expected.names
    np.testing.assert_array_equal(found.indptr, expected.indptr)
    np.testing.assert_array_equal(found.sites, expected.sites)


def test_each_word_is_normalised_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def normalise(words: Sequence[str]) -> list[str]:
        asked.extend(words)
        return lower(words)

    prepare(Pairs(), SOURCES, ["source"], tmp_path / "prepared", normalise)
    assert sorted(asked) == sorted(set(asked)) == ["A", "b", "c-d", "ü😀"]


def test_what_is_prepared_is_not_prepared_again(prepared: Prepared) -> None:
    class Broken(Pairs):
        def __iter__(self) -> Iterator[Item]:
            raise AssertionError("the corpus is read again")

    again = prepare(Broken(), SOURCES, ["source", "target"], prepared.folder, lower)
    assert again == prepared


def test_what_lacks_a_file_is_prepared_again(tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    made = prepare(Pairs(), SOURCES, ["source"], folder, lower)
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name in whole:
        assert made.whole
        (folder / name).unlink()
        assert not made.whole
        prepare(Pairs(), SOURCES, ["source"], folder, lower)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    assert [path.name for path in tmp_path.iterdir()] == ["prepared"]


def test_a_corpus_that_breaks_in_the_middle_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    class Broken(Pairs):
        def __iter__(self) -> Iterator[Item]:
            for number, item in enumerate(super().__iter__()):
                if number == 15:
                    raise CorpusError("line 15 is broken")
                yield item

    with pytest.raises(CorpusError, match="line 15"):
        prepare(Broken(), SOURCES, ["source"], tmp_path / "prepared", lower)
    assert not Prepared(tmp_path / "prepared").whole
    assert prepare(Pairs(), SOURCES, ["source"], tmp_path / "prepared", lower).n_items == 23


def test_progress_counts_items(tmp_path: Path) -> None:
    ticks: list[int] = []
    prepare(Pairs(), SOURCES, ["source"], tmp_path / "prepared", lower, ticks.append)
    assert [tick for tick in ticks if tick] == [10, 20, 23]


def test_an_item_without_the_grid_of_a_layer(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as caught:
        prepare(Pairs(without=4), SOURCES, ["source", "target"], tmp_path / "prepared", lower)
    assert str(caught.value) == (
        "Item 'i4' of corpus 'pairs' has no grid 'target', which a chosen layer needs. "
        "Give sentence pairs (.tsv, or --columns source=NAME,target=NAME), or --target copy to use "
        "each text as its own target, or only layers of the encoder (--layers 'encoder.*')."
    )


@dataclass(frozen=True)
class Counted(Pairs):
    """Passes over every fifth item."""

    notes: tuple[str, ...] = ("pairs are read as they come",)

    def read(self, counts: Counter[str]) -> Iterator[Item]:
        for number, item in enumerate(iter(self)):
            if number % 5:
                yield item
            else:
                counts["fifths"] += 1


def test_what_was_passed_over_is_kept(tmp_path: Path, prepared: Prepared) -> None:
    found = prepare(Counted(), SOURCES, ["source"], tmp_path / "prepared", lower)
    assert found.n_items == 18
    expected = {"read": ["pairs are read as they come"], "skipped": {"fifths": 5}}
    assert found.corpus_notes == Prepared(tmp_path / "prepared").corpus_notes == expected
    assert prepared.corpus_notes == {"read": [], "skipped": {}}


def test_concepts_without_sites(tmp_path: Path) -> None:
    with pytest.raises(ConceptError, match="No concept is left"):
        prepare(Pairs(), [WordSource(min_sites=10**6)], ["source"], tmp_path / "prepared", lower)


def test_a_folder_that_was_never_prepared(tmp_path: Path) -> None:
    assert not Prepared(tmp_path).whole
    with pytest.raises(StoreError, match=r"'summary.json' is missing"):
        _ = Prepared(tmp_path).n_items
