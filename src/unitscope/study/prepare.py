"""One pass over the corpus: items cut into shards for the model, sites and concepts as compact arrays.

Written once into the work folder; everything later reads these files, so that the corpus is parsed once and a
resumed run sees exactly what the killed one saw.
"""

from __future__ import annotations

import shutil
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.concepts.base import ConceptSource, speaks
from unitscope.concepts.build import ConceptTableBuilder
from unitscope.concepts.table import ConceptTable
from unitscope.corpora.base import Corpus, corpus_notes, read_items
from unitscope.errors import ConceptError, CorpusError
from unitscope.pixels import appearance
from unitscope.sites import IMAGE, ITEM, Cells, Grid, Image, Item, Text, kind_of, widened
from unitscope.store import read_arrays, read_sealed, write_arrays, write_sealed
from unitscope.study.plan import ITEMS_PER_SHARD

Normalise = Callable[[Sequence[str]], list[str]]


@dataclass(frozen=True)
class Sites:
    """All sites of one grid in corpus order: item, 0-based position, sentence length, word form, each int32 [S].

    On an image grid `length` is the number of columns and `form` what the cell looks like; on the grid `item` `length`
    is the number of the text's words, and `form` is 0.
    """

    item: NDArray[np.int32]
    position: NDArray[np.int32]
    length: NDArray[np.int32]
    form: NDArray[np.int32]


@dataclass(frozen=True)
class Prepared:
    """A prepared corpus in a folder."""

    folder: Path

    @property
    def whole(self) -> bool:
        """Whether all files are there."""
        if not (self.folder / "summary.json").exists():
            return False
        names = [f"items-{shard:05d}.json" for shard in range(self.n_shards)]
        names += [f"{kind}-{grid}.safetensors" for kind in ("sites", "concepts") for grid in self.grids]
        return all((self.folder / name).exists() for name in [*names, "groups.json"])

    @property
    def n_shards(self) -> int:
        """Number of shards of items."""
        return int(self._summary()["n_shards"])

    @property
    def grids(self) -> tuple[str, ...]:
        """Grids whose sites were prepared."""
        return tuple(self._summary()["grids"])

    @property
    def n_items(self) -> int:
        """Number of items."""
        return int(self._summary()["n_items"])

    @property
    def corpus_notes(self) -> dict[str, Any]:
        """How the corpus was read, in sentences (`read`), and what was passed over, by what it was (`skipped`)."""
        notes: dict[str, Any] = self._summary().get("corpus", {"read": [], "skipped": {}})
        return notes

    def n_sites(self, grid: str) -> int:
        """Number of sites of a grid, valid or not."""
        return int(self._summary()["n_sites"][grid])

    def items(self, shard: int) -> list[Item]:
        """Items of one shard: text and spans, without annotation."""
        return [Item.from_json(data) for data in read_sealed(self.folder / f"items-{shard:05d}.json")]

    @property
    def items_per_shard(self) -> int:
        """Items of each shard but the last."""
        return int(self._summary().get("items_per_shard", ITEMS_PER_SHARD))

    @property
    def skipped(self) -> dict[str, str]:
        """Items that the corpus left out, by name, with what was wrong with each."""
        return dict(self._summary().get("skipped", {}))

    def item(self, number: int) -> Item:
        """One item, by its number in the corpus; its shard is read for it."""
        return self.items(number // self.items_per_shard)[number % self.items_per_shard]

    def groups(self) -> list[str]:
        """Group of every item."""
        return [str(group) for group in read_sealed(self.folder / "groups.json")]

    def sites(self, grid: str) -> Sites:
        """Sites of one grid."""
        arrays, _ = read_arrays(self.folder / f"sites-{grid}.safetensors")
        return Sites(arrays["item"], arrays["position"], arrays["length"], arrays["form"])

    def concepts(self, grid: str) -> ConceptTable:
        """Concepts over the sites of one grid."""
        arrays, meta = read_arrays(self.folder / f"concepts-{grid}.safetensors")
        return ConceptTable.from_arrays(arrays, meta)

    def _summary(self) -> dict[str, Any]:
        summary: dict[str, Any] = read_sealed(self.folder / "summary.json")
        return summary


class _GridColumns:
    """Collects the sites of one grid."""

    def __init__(self) -> None:
        self.item, self.position, self.length, self.form = (array("i") for _ in range(4))
        self._forms: dict[str, int] = {}

    def add(self, index: int, text: Grid, normalise: Normalise) -> None:
        n = text.n_sites
        if not isinstance(text, Text):
            self.item.extend([index] * n)
            self.position.extend(range(n))
            self.length.extend([text.cells.columns if isinstance(text, Image) and text.cells else text.length] * n)
            self.form.extend(appearance(text).tolist() if isinstance(text, Image) else [0])
            return
        self.item.extend([index] * n)
        self.position.extend(range(n))
        self.length.extend([n] * n)
        forms = self._forms
        self.form.extend([forms.setdefault(form, len(forms)) for form in normalise(text.words)])

    def arrays(self) -> dict[str, NDArray[np.int32]]:
        return {name: np.array(getattr(self, name), np.int32) for name in ("item", "position", "length", "form")}


def prepare(
    corpus: Corpus,
    sources: Sequence[ConceptSource],
    grids: Sequence[str],
    folder: Path,
    normalise: Normalise,
    tick: Callable[[int], None] = lambda n: None,
    *,
    cells: Mapping[str, Cells] = MappingProxyType({}),
    items_per_shard: int | None = None,
) -> Prepared:
    """Read the corpus into `folder` (renamed into place when whole). Raises CorpusError when it has no sites.

    `cells` says how pictures are cut for each image grid among `grids`.
    """
    if Prepared(folder).whole:
        return Prepared(folder)
    items_per_shard = items_per_shard or ITEMS_PER_SHARD
    temporary = folder.with_name(f"{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    columns = {grid: _GridColumns() for grid in grids}
    builders = {grid: ConceptTableBuilder(fitting(sources, grid)) for grid in grids}
    groups: list[str] = []
    skipped: Counter[str] = Counter()
    waiting: list[Item] = []
    n_shards = 0
    cached = _cached(normalise)
    for index, each in enumerate(read_items(corpus, skipped)):
        item = widened(each, cells, ITEM in grids)
        for grid in grids:
            if grid not in item.grids:
                _refuse_modality(each, grid, corpus.name)
                raise CorpusError(
                    f"Item '{item.id}' of corpus '{corpus.name}' has no grid '{grid}', which a chosen layer needs.",
                    fix="Give sentence pairs (.tsv, or --columns source=NAME,target=NAME), or --target copy to use "
                    "each text as its own target, or only layers of the encoder (--layers 'encoder.*').",
                )
            columns[grid].add(index, item.grids[grid], cached)
            builders[grid].add(item, grid)
        groups.append(item.group)
        waiting.append(each)
        if len(waiting) == items_per_shard:
            write_sealed(temporary / f"items-{n_shards:05d}.json", [each.to_json() for each in waiting])
            waiting, n_shards = [], n_shards + 1
            tick(len(groups))
    if waiting:
        write_sealed(temporary / f"items-{n_shards:05d}.json", [each.to_json() for each in waiting])
        n_shards += 1
        tick(len(groups))
    tables = {grid: builders[grid].build() for grid in grids if len(columns[grid].item)}
    if len(tables) < len(grids):
        raise CorpusError(f"Corpus '{corpus.name}' has no words.", expected="at least one item with words")
    for grid in grids:
        write_arrays(temporary / f"sites-{grid}.safetensors", columns[grid].arrays())
        arrays, meta = tables[grid].save_arrays()
        write_arrays(temporary / f"concepts-{grid}.safetensors", arrays, meta)
    write_sealed(temporary / "groups.json", groups)
    n_sites = {grid: len(columns[grid].item) for grid in grids}
    summary = {"n_items": len(groups), "n_shards": n_shards, "grids": list(grids), "n_sites": n_sites}
    notes = {"read": list(corpus_notes(corpus)), "skipped": dict(sorted(skipped.items()))}
    summary |= {"items_per_shard": items_per_shard, "skipped": skipped_of(corpus), "corpus": notes}
    write_sealed(temporary / "summary.json", summary)
    shutil.rmtree(folder, ignore_errors=True)  # where a file of it is missing
    temporary.rename(folder)
    return Prepared(folder)


def fitting(sources: Sequence[ConceptSource], grid: str) -> list[ConceptSource]:
    """Sources that speak of a grid.

    Raises ConceptError when there is none.
    """
    found = [source for source in sources if speaks(source, grid)]
    if not found:
        asked = ", ".join(source.category for source in sources)
        fixes = {"image": "segments, place or colours", "item": "labels", "text": "words or position"}
        raise ConceptError(
            f"None of the concepts {asked} is about the sites of the grid '{grid}'.",
            expected=f"one of another kind, as {fixes[kind_of(grid)]}",
        )
    return found


def skipped_of(corpus: Corpus) -> dict[str, str]:
    """What a corpus left out while it was read: names of items with what was wrong."""
    inner: Any = corpus
    while not hasattr(inner, "skipped"):
        if not hasattr(inner, "corpus"):
            return {}
        inner = inner.corpus  # a view of another corpus
    return dict(inner.skipped)


def _refuse_modality(item: Item, grid: str, corpus: str) -> None:
    has_image = IMAGE in item.grids
    if has_image != (kind_of(grid) == IMAGE):
        what = "images" if has_image else "texts"
        raise CorpusError(
            f"Corpus '{corpus}' is of {what}, and the model has layers on the grid '{grid}'.",
            fix="Give a model of images a folder of images, and a model of texts a corpus of texts.",
        )


def _cached(normalise: Normalise) -> Normalise:
    """Normalise each distinct word once; forget all when there are very many."""
    known: dict[str, str] = {}

    def look_up(words: Sequence[str]) -> list[str]:
        new = sorted({word for word in words if word not in known})
        if new:
            if len(known) > 500_000:
                known.clear()
                new = sorted(set(words))
            known.update(zip(new, normalise(new), strict=True))
        return [known[word] for word in words]

    return look_up
