"""Values of an atlas' units, taken from its model and kept beside it.

A folder `ATLAS/activations/VARIANT-KEY/` holds a file for each layer and shard of items, with the shard's rounded
values unit by unit as in the spool of `map` (float16, scaled by a power of two where a unit's values need it) and the
sites that the model had a position for. Files are written whole; a stopped extraction goes on where it was, and further
layers are added without running the others again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.activations import Activations, FileShard
from unitscope.concepts.table import ConceptTable
from unitscope.errors import PlanError, StoreError, UnknownLayerError, closest
from unitscope.models.base import Layer
from unitscope.store import ArrayFile, fingerprint, read_json, write_arrays
from unitscope.study.prepare import Prepared, Sites, prepare

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.corpora.base import Corpus
    from unitscope.models.base import Model
    from unitscope.study.plan import Study
    from unitscope.study.run import Run

Tick = Callable[[str, int, int], None]
FOLDER = "activations"
VARIANTS = ("trained", "untrained", "rotation")


def activations_of(
    atlas: Atlas,
    *,
    layers: Sequence[str] = (),
    concepts: Sequence[str] = (),
    variant: str = "trained",
    model: str | Model | None = None,
    corpus: str | Corpus | None = None,
    other: str | Corpus | None = None,
    tick: Tick = lambda what, done, total: None,
    check: Callable[[ConceptTable, Sites], None] | None = None,
) -> Activations:
    """Activations of an atlas' layers on one grid, taken from its folder, or from its model where they are not there.

    `layers` are addresses or globs among the atlas' layers (all must be on one grid), `concepts` specs as for `map`
    (by default those the atlas was made with). `variant` is `trained`, `untrained` (the copy with fresh weights that
    the baseline uses) or `rotation`. `model` and `corpus` are needed where the atlas does not know where they are;
    `other` is another corpus for the same model, as for judging on data of another source. `check` is shown the
    concepts and sites of the whole corpus before the model runs, to refuse what cannot be asked of them.

    Raises UnknownLayerError, PlanError where layers are on several grids, and StoreError where the model or the corpus
    is not the atlas' own.
    """
    if variant not in VARIANTS:
        raise PlanError(f"Unknown variant '{variant}'.", expected=", ".join(VARIANTS), fix=closest(variant, VARIANTS))
    study = _study(atlas)
    chosen = _chosen_layers(study, layers)
    run = _run_of(atlas, study, chosen, concepts, model, corpus, other)
    _refuse_others(run.study, study, other is None)
    study = replace(study, corpus_hash=run.study.corpus_hash)
    named = ("weight_hash", "corpus_hash", "seed", "resample", "long_items", "batch_size", "pool")
    key = fingerprint({"variant": variant, **{name: getattr(study, name) for name in named}})[:12]
    folder = atlas.path / FOLDER / f"{variant}-{key}"
    grid = chosen[0].grid
    prepared = prepare(
        run.corpus,
        run.sources,
        [grid],
        folder / f"sites-{fingerprint([grid, run.study.concepts, [each.cells for each in chosen]])[:12]}",
        run.model.normalise,
        lambda n: tick("reading the corpus", n, 0),
        cells=replace(study, layers=tuple(chosen)).cells,
        items_per_shard=study.items_per_shard,
    )
    if check is not None:
        check(prepared.concepts(grid), prepared.sites(grid))
    extract(atlas, replace(study, layers=tuple(chosen)), variant, run.model, prepared, folder, tick)
    return load(folder, chosen, prepared, study.seed, str(atlas.manifest["key"]))


def _run_of(
    atlas: Atlas,
    study: Study,
    chosen: Sequence[Layer],
    concepts: Sequence[str],
    model: str | Model | None,
    corpus: str | Corpus | None,
    other: str | Corpus | None,
) -> Run:
    """The atlas' model and corpus (or another corpus) loaded and described, as a map of the chosen layers would be."""
    from unitscope.api import Settings, make_run

    origin = origin_of(atlas)
    is_read = isinstance(other or corpus, str | None)  # a corpus that is an object has been read as its owner wished
    reading = dict(origin.get("reading", {})) if other is None and is_read else {}
    # A study needs a layer of the model's own, where only bases are chosen.
    own = [layer.address for layer in chosen if not layer.basis] or [study.layers[0].address.partition("~")[0]]
    settings = Settings(
        layers=own,
        concepts=tuple(concepts) or tuple(origin.get("concepts", ())),
        lens=False,
        threads=study.threads,
        device=study.device,
        **reading,
    )
    loaded = _given("model", model, origin)
    return make_run(loaded, other if other is not None else _given("corpus", corpus, origin), atlas.path, settings)


def extract(
    atlas: Atlas, study: Study, variant: str, model: Model, prepared: Prepared, folder: Path, tick: Tick
) -> None:
    """Write what is missing of the layers' values, shard by shard."""
    missing = [
        (shard, [layer for layer in study.layers if not _path(folder, layer, shard).exists()])
        for shard in range(prepared.n_shards)
    ]
    todo = [(shard, layers) for shard, layers in missing if layers]
    if not todo:
        return
    model = _variant(atlas, study, variant, model)
    for done, (shard, layers) in enumerate(todo):
        tick(f"running the model ({variant})", done, len(todo))
        _extract_shard(study, variant, model, layers, prepared, shard, folder)
    tick(f"running the model ({variant})", len(todo), len(todo))


def _extract_shard(
    study: Study, variant: str, model: Model, layers: Sequence[Layer], prepared: Prepared, shard: int, folder: Path
) -> None:
    from unitscope.study.pooling import run_pooled
    from unitscope.study.sitepass import rotated, rounded

    captured = run_pooled(
        model,
        prepared.items(shard),
        layers,
        study.pool,
        resample=study.resample,
        batch_size=study.batch_size,
        long_items=study.long_items,
        also=None,
    )
    for layer in layers:
        values = captured.values[layer.address]
        if variant == "rotation":
            values = rotated(values, layer, study.seed)
        halves, scale = rounded(values)
        arrays: dict[str, NDArray[Any]] = {"values": halves, "scale": scale, "valid": captured.valid[layer.grid]}
        write_arrays(_path(folder, layer, shard), arrays)


def load(folder: Path, layers: Sequence[Layer], prepared: Prepared, seed: int, parent: str) -> Activations:
    """Activations that lie in a folder. Raises StoreError where no site is valid in all layers."""
    grid = layers[0].grid
    shards = []
    for n in range(prepared.n_shards):
        paths = tuple(_path(folder, layer, n) for layer in layers)
        shards.append(FileShard(paths, np.logical_and.reduce([ArrayFile(path).read("valid") for path in paths])))
    valid = np.concatenate([shard.keep for shard in shards])
    if not valid.any():
        raise StoreError("The model has a position for none of the corpus' sites in all of these layers.")
    sites = prepared.sites(grid)
    kept = Sites(*(getattr(sites, name)[valid] for name in ("item", "position", "length", "form")))
    table = prepared.concepts(grid)
    group_of_item = prepared.groups()
    index = {name: i for i, name in enumerate(dict.fromkeys(group_of_item))}
    ids = tuple(item.id for n in range(prepared.n_shards) for item in prepared.items(n))
    return Activations(
        layers=tuple(layers),
        grid=grid,
        sites=kept,
        item_ids=ids,
        groups=tuple(index),
        group=np.array([index[name] for name in group_of_item], np.int32)[kept.item],
        concepts=table if valid.all() else table.select_sites(valid),
        shards=tuple(shards),
        seed=seed,
        parent=parent,
        prepared=prepared,
    )


def origin_of(atlas: Atlas) -> Mapping[str, Any]:
    """Where an atlas' model and corpus were when it was made, as its `run.json` has it; empty where it has not."""
    from unitscope.atlas import RUN

    path = atlas.path / RUN
    found = read_json(path) if path.exists() else {}
    origin = found.get("origin") if isinstance(found, dict) else None
    return origin if isinstance(origin, dict) else {}


def layers_of(atlas: Atlas, patterns: Sequence[str] = ()) -> tuple[Layer, ...]:
    """Layers of an atlas that match addresses or globs, all on one grid; every layer where there are no patterns.

    Raises UnknownLayerError for a pattern that matches none, and PlanError where they are on several grids.
    """
    return tuple(_chosen_layers(_study(atlas), patterns))


def extraction_bytes(layers: Sequence[Layer], n_sites: int) -> int:
    """Bytes on disk of layers' values at so many sites."""
    return sum(layer.width for layer in layers) * n_sites * 2


def _given(what: str, value: Any, origin: Mapping[str, Any]) -> Any:
    if value is not None:
        return value
    if origin.get(what):
        return origin[what]
    raise StoreError(
        f"This atlas does not say where its {what} is.",
        expected=f"the {what} it was made from",
        fix=f"Give it with --{what}.",
    )


def _study(atlas: Atlas) -> Study:
    from unitscope.study.plan import Study

    return Study.from_json(dict(atlas.manifest["study"]))


def _chosen_layers(study: Study, patterns: Sequence[str]) -> list[Layer]:
    known = [layer.address for layer in study.layers]
    for pattern in patterns:
        if not any(at == pattern or fnmatchcase(at, pattern) for at in known):
            fix = closest(pattern, known) or f"Its layers: {', '.join(known)}."
            raise UnknownLayerError(f"Layer '{pattern}' is not in this atlas.", fix=fix)
    fits = [
        layer
        for layer in study.layers
        if not patterns or any(layer.address == each or fnmatchcase(layer.address, each) for each in patterns)
    ]
    grids = sorted({layer.grid for layer in fits})
    if len(grids) > 1:
        raise PlanError(
            f"The layers asked for are on the grids {', '.join(grids)}.",
            expected="layers on one grid",
            fix="Choose layers of one of them with --layers.",
        )
    return fits


def _refuse_others(found: Study, study: Study, same_corpus: bool) -> None:
    """Raises StoreError where the model or the corpus is another than the atlas'."""
    if found.weight_hash != study.weight_hash:
        raise StoreError(
            f"The model '{found.model}' is not the one this atlas was made with (its weights differ).",
            expected=f"'{study.model}' as it was",
            fix="Give the model with --model.",
        )
    if same_corpus and found.corpus_hash != study.corpus_hash:
        raise StoreError(
            f"The corpus '{found.corpus}' is not the one this atlas was made with (its contents differ).",
            expected=f"'{study.corpus}' as it was",
            fix="Give the corpus with --corpus.",
        )


def _variant(atlas: Atlas, study: Study, variant: str, model: Model) -> Model:
    from unitscope.models.units import with_bases

    own = model.untrained(study.seed) if variant == "untrained" else model
    bases = [layer.address for layer in study.layers if layer.basis]
    if bases and variant == "untrained":
        raise PlanError(
            f"The layer '{bases[0]}' is a basis, which an untrained copy has none of.",
            fix="Choose layers of the model.",
        )
    return with_bases(own, {at: atlas.basis(at) for at in bases}) if bases else own


def _path(folder: Path, layer: Layer, shard: int) -> Path:
    cells = f".{fingerprint(layer.cells)[:8]}" if layer.cells else ""
    return folder / f"{layer.address}{cells}" / f"{shard:05d}.safetensors"
