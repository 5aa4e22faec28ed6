"""Bases in a study: which layers they make, fitting them on half A, and handing them to whoever runs the model.

Every basis of a study lies as a file in its work folder, so that workers need neither paths nor objects, and a run
that is resumed does not fit again. What is fitted sees the sites of half A only: concepts are chosen there too, and
half B stays unseen. A fit belongs to a variant: the untrained copy's components are its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.atlas import write_table
from unitscope.bases.specs import MARK, ROLES, BasisSpec, Request
from unitscope.models.base import Layer, Model
from unitscope.store import ArrayFile, read_arrays, write_arrays
from unitscope.study.plan import Slice, Study
from unitscope.study.pooling import base_layer

if TYPE_CHECKING:
    from unitscope.bases.base import Basis
    from unitscope.study.execute import Executor

FOLDER = "bases"
GIVEN = "given"
Specs = Mapping[str, BasisSpec]
"""Bases by the address of the layer they make."""


def basis_layers(model: Model, requests: Sequence[Request]) -> tuple[list[Layer], list[Layer], dict[str, BasisSpec]]:
    """The layers that bases are on, those they make, and the bases by their layer's address.

    Raises UnknownLayerError where a glob matches nothing and BasisError where a basis does not fit its layer.
    """
    sources: dict[str, Layer] = {}
    made: list[Layer] = []
    specs: dict[str, BasisSpec] = {}
    taken: Counter[str] = Counter()
    for glob, spec in requests:
        for layer in model.resolve([glob]):
            sources[layer.address] = layer
            address = f"{layer.address}{MARK}{spec.name}"
            taken[address] += 1
            if taken[address] > 1:
                address = f"{address}-{taken[address]}"
            width = spec.width(layer.width, layer.address)
            role = ROLES.get(spec.kind, "units of a basis")
            made.append(
                Layer(address, width, layer.grid, role, order=layer.order, basis=spec.describe(), cells=layer.cells)
            )
            specs[address] = spec
    return list(sources.values()), made, specs


def basis_path(folder: Path, variant: str, layer: int) -> Path:
    """File of a layer's basis in the work folder: given ones serve all variants, fitted ones one."""
    given = folder / FOLDER / f"{GIVEN}-{layer:03d}.safetensors"
    return given if given.exists() else folder / FOLDER / f"{_fitted_for(variant)}-{layer:03d}.safetensors"


def _fitted_for(variant: str) -> str:
    return "untrained" if variant == "untrained" else "trained"


def load_basis(path: Path) -> Basis:
    """A basis from a file of ours. Raises StoreError when it is corrupted."""
    from unitscope.bases.base import Basis

    return Basis.load(*read_arrays(path))


def with_study_bases(model: Model, study: Study, folder: Path, variant: str) -> Model:
    """The model with the layers of the study's bases, as they lie in the work folder."""
    from unitscope.models.units import with_bases

    found = {
        layer.address: load_basis(basis_path(folder, variant, index))
        for index, layer in enumerate(study.layers)
        if layer.basis
    }
    return with_bases(model, found)


def save_given(study: Study, specs: Specs, model: Model, folder: Path) -> None:
    """Write what needs no fitting."""
    from unitscope.models.units import source_of

    for index, layer in enumerate(study.layers):
        path = folder / FOLDER / f"{GIVEN}-{index:03d}.safetensors"
        if layer.basis and not path.exists():
            source = model.resolve([source_of(layer.address)])[0]
            basis = specs[layer.address].make(source.width, source.address)
            if basis is not None:
                write_arrays(path, *basis.save())


def fit(executor: Executor, specs: Specs, variant: str, tick: Callable[[int, int], None]) -> None:
    """Fit what is to be fitted and is not yet, in passes over the shards that stop at the deepest layer needed."""
    from unitscope.models.units import source_of

    study = executor.study
    missing = [
        index
        for index, layer in enumerate(study.layers)
        if layer.basis and not basis_path(executor.folder, variant, index).exists()
    ]
    if not missing:
        return
    model = executor.bare_model(variant)
    sources = {index: model.resolve([source_of(study.layers[index].address)])[0] for index in missing}
    for grid in sorted({layer.grid for layer in sources.values()}):
        here = {index: layer for index, layer in sources.items() if layer.grid == grid}
        _find_valid(executor, model, grid)
        fitters = {
            index: specs[study.layers[index].address].fitter(layer.width, layer.address)
            for index, layer in here.items()
        }
        layers = sorted(set(here.values()), key=lambda layer: (layer.order, layer.address))
        shards = _shards_of_a(executor, grid)
        for done, (shard, items, keep) in enumerate(shards):
            everything = executor.prepared.items(shard)
            captured = model.run(
                [everything[at] for at in items],
                layers,
                resample=study.resample,
                batch_size=study.batch_size,
                long_items=study.long_items,
            )
            for index, layer in here.items():
                fitters[index].add(captured.values[layer.address].numpy()[keep])
            tick(done + 1, len(shards))
        for index, fitter in fitters.items():
            write_arrays(basis_path(executor.folder, variant, index), *fitter.finish().save())


def _find_valid(executor: Executor, model: Model, grid: str) -> None:
    """Save which sites the model has positions for, as the first round would; halves depend on it."""
    path = executor.valid_path(grid)
    if path.exists():
        return
    from unitscope.models.units import source_of

    study = executor.study
    wanted = [source_of(each.address) if each.basis else base_layer(each).address for each in study.layers]
    layers = [model.resolve([address])[0] for address in dict.fromkeys(wanted)]
    layers = sorted((layer for layer in layers if layer.grid == grid), key=lambda layer: layer.order)
    tap = getattr(model, "tap", None)
    if tap is not None and all(tap(layer.address).is_direct for layer in layers):
        layers = layers[:1]  # all have the same positions, and the first is reached soonest
    valid = []
    for shard in range(executor.prepared.n_shards):
        captured = model.run(
            executor.prepared.items(shard), layers, batch_size=study.batch_size, long_items=study.long_items
        )
        valid.append(captured.valid[grid])
    write_arrays(path, {f"valid.{grid}": np.concatenate(valid)})


def _shards_of_a(executor: Executor, grid: str) -> list[tuple[int, list[int], NDArray[np.bool_]]]:
    """For each shard with sites of half A: its number, the items in it that have any, and which of their sites."""
    frame, sites = executor.frame(grid), executor.prepared.sites(grid)
    on_a = np.zeros(len(sites.item), np.bool_)
    on_a[frame.valid] = frame.halves.a
    found = []
    size = executor.prepared.items_per_shard
    for shard in range(executor.prepared.n_shards):
        here = slice(*np.searchsorted(sites.item, [shard * size, (shard + 1) * size]).tolist())
        item, chosen = sites.item[here], on_a[here]
        items = np.unique(item[chosen])
        if len(items):
            keep = chosen[np.isin(item, items)]
            found.append((shard, (items - shard * size).tolist(), keep))
    return found


def parts_wanted(study: Study, part: Sequence[Slice], variant: str) -> dict[str, tuple[int, int]]:
    """Ranges of units of those layers of a round of which only a part is needed, and which cost something to make."""
    if variant == "rotation":  # mixes all units of a layer
        return {}
    layers = [(study.layers[s.layer], s) for s in part]
    return {
        layer.address: (s.start, s.stop) for layer, s in layers if layer.basis and (s.start, s.stop) != (0, layer.width)
    }


def write_fitted(study: Study, work: Path, folder: Path) -> None:
    """Copy the trained model's fitted bases into an atlas."""
    for index, layer in enumerate(study.layers):
        path = basis_path(work, "trained", index)
        if layer.basis and not path.name.startswith(GIVEN):
            file = ArrayFile(path)
            arrays = {name: file.read(name) for name in file.names}
            write_arrays(folder / FOLDER / f"{layer.address}.safetensors", arrays, file.meta)


def write_names(study: Study, folder: Path) -> None:
    """Write the table of units that have names, where there are any."""
    from unitscope.bases.specs import ROLES

    named = [layer for layer in study.layers if layer.role == ROLES["mass"]]
    if not named:
        return
    from unitscope.models.mass import unit_name

    units = np.concatenate([np.arange(layer.width, dtype=np.int32) for layer in named])
    addresses = [layer.address for layer in named for _ in range(layer.width)]
    table = {
        "layer": np.array(addresses, object),
        "unit": units,
        "name": np.array([unit_name(unit) for unit in units.tolist()], object),
    }
    write_table(folder / "unit_names.parquet", table)
