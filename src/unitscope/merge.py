"""Merging atlases of different layers of one study into the atlas that one run would have made.

What a unit says on its own is copied; what depends on all tested units (q-values, kinds, reported matches, counts) is
worked out anew over the union, by the same code as at the end of a run, from the tables `tests` and `units`. So the
merged atlas equals that of one run over all the layers, file by file; only `run.json` differs. Merging is associative,
and the order in which atlases are given does not matter.

For an encoder-decoder that holds up to rounding: a run over both sides batches sentences by both lengths.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute
from numpy.typing import NDArray

from unitscope.atlas import IMAGES, MANIFEST, RUN, Atlas, Row, write_arrow, write_table
from unitscope.errors import StoreError
from unitscope.measures import parse_measures
from unitscope.store import ArrayFile, cannot_write, read_arrays, read_json, write_arrays, write_json
from unitscope.study.bases import FOLDER, write_names
from unitscope.study.formulas import with_q
from unitscope.study.plan import Study
from unitscope.study.verdicts import VERDICTS, Evidence, Table, conclude, table_name, write_manifest

_PER_ITEM = ("truncated_items", "windowed_items", "skipped_items")


def merge(atlases: Sequence[str | Path], out: str | Path) -> Atlas:
    """Merge atlases of different layers of one study into a new one at `out`; what is at `atlases` stays as it is.

    Raises StoreError when they are of different studies (naming the field), share a layer, are of another schema
    version or corrupted, or when `out` holds something else.
    """
    opened = [Atlas.open(path) for path in atlases]
    if not opened:
        raise StoreError("Got no atlases to merge.", expected="two or more")
    studies = [Study.from_json(atlas.manifest["study"]) for atlas in opened]
    for atlas, study in zip(opened[1:], studies[1:], strict=True):
        _check_same(opened[0], studies[0], atlas, study)
    homes = _homes(opened, studies)
    layers = sorted(
        (layer for study in studies for layer in study.layers), key=lambda layer: (layer.order, layer.address)
    )
    merged = _Merge(replace(studies[0], layers=tuple(layers)), opened, homes)
    target = Path(out)
    if _done(target, merged.study):
        return Atlas.open(target)
    _write(merged, target)
    return Atlas.open(target)


def _check_same(first: Atlas, expected: Study, atlas: Atlas, study: Study) -> None:
    """Refuse an atlas of another study, naming the first field in which it differs."""
    for field in fields(Study):
        a, b = getattr(expected, field.name), getattr(study, field.name)
        name = field.name
        if field.name == "layers" or a == b:
            continue
        if isinstance(a, dict):
            name, a, b = next((key, a.get(key), b.get(key)) for key in sorted({*a, *b}) if a.get(key) != b.get(key))
            name = f"the version of {name}"
        raise StoreError(
            f"'{first.path.name}' and '{atlas.path.name}' are of different studies: {name} is "
            f"{_shown(a)} in one and {_shown(b)} in the other.",
            expected="the same model weights, corpus, concepts, measures and parameters, and different layers",
            fix="Map both with the same options.",
        )
    for grid in set(first.manifest["grids"]) & set(atlas.manifest["grids"]):
        if first.manifest["grids"][grid] != atlas.manifest["grids"][grid]:
            raise StoreError(
                f"The layers of '{first.path.name}' and '{atlas.path.name}' have positions for different words of the "
                f"grid '{grid}'.",
                fix="Map all these layers in one run.",
            )


def _shown(value: Any) -> str:
    text = "; ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"'{text if len(text) <= 80 else text[:77] + '...'}'"


def _homes(atlases: Sequence[Atlas], studies: Sequence[Study]) -> dict[str, Atlas]:
    """The atlas of every layer. Raises StoreError when two have the same layer."""
    homes: dict[str, Atlas] = {}
    for atlas, study in zip(atlases, studies, strict=True):
        for layer in study.layers:
            if layer.address in homes:
                raise StoreError(
                    f"Layer '{layer.address}' is in '{homes[layer.address].path.name}' and in '{atlas.path.name}'.",
                    expected="atlases of different layers",
                    fix="Leave one of them out, or map the layers apart.",
                )
            homes[layer.address] = atlas
    return homes


class _Merge:
    """The merged study, the atlases, and the atlas of each layer."""

    def __init__(self, study: Study, atlases: Sequence[Atlas], homes: Mapping[str, Atlas]) -> None:
        self.study, self.atlases, self.homes = study, atlases, homes

    def write(self, folder: Path) -> None:
        """Write all files of the merged atlas."""
        measures = parse_measures(self.study.measures)
        evidence = {variant: self.evidence(variant) for variant in self.study.variants}
        smallest = min(atlas.summary["trained"]["all"]["smallest_q"] for atlas in self.atlases)
        summary = conclude(self.study, measures, evidence, smallest, folder)
        write_arrow(folder / "clips.parquet", self.rows_by_layer("clips"))
        items = self.items()
        write_arrow(folder / "items.parquet", items)
        self.pictures(items, folder)
        if all(atlas.has("density") for atlas in self.atlases):
            write_arrow(folder / "density.parquet", self.rows_by_layer("density"))
        if self.study.lens:
            write_arrow(folder / "writes.parquet", self.rows_by_layer("writes"))
        if self.study.attribution:
            write_arrow(folder / "attributions.parquet", self.rows_by_layer("attributions"))
        if self.study.ladder:
            write_table(folder / "ladder.parquet", self.by_layer("ladder"))
        for name in [table_name(variant, "formulas") for variant in self.study.variants] if self.study.formulas else []:
            write_table(folder / f"{name}.parquet", with_q(self.by_layer(name)))
        write_table(folder / "concepts.parquet", self.concepts())
        for measure in measures:
            self.scores(measure.key, folder / "scores" / f"{measure.key}.safetensors")
        write_names(self.study, folder)
        self.bases(folder)
        grids = {grid: notes for atlas in self.atlases for grid, notes in atlas.manifest["grids"].items()}
        notes = {
            "items": self.atlases[0].manifest["notes"]["items"],
            "corpus": self.atlases[0].manifest["notes"].get("corpus", {"read": [], "skipped": {}}),
            "counts": self.counts(),
            "resampling": self.resampling(),
            "writes": self.atlases[0].manifest["notes"]["writes"],
        }
        if skipped := self.atlases[0].manifest["notes"].get("skipped"):
            notes["skipped"] = skipped
        write_manifest(self.study, measures, grids, summary, notes, folder)

    def pictures(self, items: pyarrow.Table, folder: Path) -> None:
        """Pictures of the items, from any atlas that has them: they are the same in all."""
        for name in sorted({name for name in items.column("image").to_pylist() if name}):
            (folder / IMAGES).mkdir(parents=True, exist_ok=True)
            source = next(atlas.path / IMAGES / name for atlas in self.atlases if (atlas.path / IMAGES / name).exists())
            shutil.copyfile(source, folder / IMAGES / name)

    def bases(self, folder: Path) -> None:
        """Bases that were fitted."""
        for layer in self.study.layers:
            name = f"{FOLDER}/{layer.address}.safetensors"
            if (self.homes[layer.address].path / name).exists():
                write_arrays(folder / name, *read_arrays(self.homes[layer.address].path / name))

    def evidence(self, variant: str) -> Evidence:
        """What the units of all layers say on their own."""
        units = self.by_layer(table_name(variant, "units"))
        units = {name: column for name, column in units.items() if name not in VERDICTS}
        return Evidence(units, self.by_layer(table_name(variant, "tests")))

    def by_layer(self, name: str) -> Table:
        """A table of all atlases, layers in order of execution, and rows of a layer as they were."""
        tables = {id(atlas): columns_of(atlas.table(name)) for atlas in self.atlases}
        parts = []
        for layer in self.study.layers:
            table = tables[id(self.homes[layer.address])]
            here = np.flatnonzero(table["layer"] == layer.address)
            parts.append({key: column[here] for key, column in table.items()})
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def rows_by_layer(self, name: str) -> pyarrow.Table:
        """The same for a table with lists."""
        tables = {id(atlas): atlas.table(name) for atlas in self.atlases}
        parts = []
        for layer in self.study.layers:
            table = tables[id(self.homes[layer.address])]
            parts.append(table.filter(pyarrow.compute.equal(table.column("layer"), layer.address)))
        return pyarrow.concat_tables(parts).combine_chunks()

    def items(self) -> pyarrow.Table:
        """Items that clips of any atlas show, once each on a grid, by grid and number."""
        table = pyarrow.concat_tables([atlas.table("items") for atlas in self.atlases]).combine_chunks()
        grid, number = table.column("grid").to_numpy(), table.column("item").to_numpy()
        grids, code = np.unique(grid.astype(str), return_inverse=True)
        _, first = np.unique(code.astype(np.int64) * (int(number.max(initial=0)) + 1) + number, return_index=True)
        return table.take(pyarrow.array(first)) if len(grids) else table

    def concepts(self) -> Table:
        """The concepts of every grid, grids in order of their names."""
        parts: dict[str, Table] = {}
        for atlas in self.atlases:
            table = columns_of(atlas.table("concepts"))
            for grid in np.unique(table["grid"].astype(str)).tolist():
                here = table["grid"] == grid
                parts.setdefault(grid, {key: column[here] for key, column in table.items()})
        ordered = [parts[grid] for grid in sorted(parts)]
        return {key: np.concatenate([part[key] for part in ordered]) for key in ordered[0]}

    def scores(self, key: str, path: Path) -> None:
        """Unsplit scores of all layers under one measure."""
        metas = [ArrayFile(atlas.path / "scores" / path.name).meta for atlas in self.atlases]
        meta = metas[0] | {"parent": self.study.key}
        found = {grid: names for each in metas for grid, names in each["concepts"].items()}
        meta["concepts"] = {grid: found[grid] for grid in sorted(found)}
        addresses = [layer.address for layer in self.study.layers]
        write_arrays(path, {address: self.homes[address].scores(key, address) for address in addresses}, meta)

    def counts(self) -> dict[str, int]:
        """Words and items that the model could not take whole: each grid's counted once."""
        grids = {layer.grid for layer in self.study.layers}
        each = {frozenset(atlas.manifest["grids"]): atlas.manifest["notes"]["counts"] for atlas in self.atlases}
        if frozenset(grids) in each:
            return dict(each[frozenset(grids)])
        # No atlas has both sides: words are of one side each, items the same on both.
        names = sorted({name for counts in each.values() for name in counts})
        merged: dict[str, Callable[[Any], int]] = {name: max if name in _PER_ITEM else sum for name in names}
        return {name: int(join([counts.get(name, 0) for counts in each.values()])) for name, join in merged.items()}

    def resampling(self) -> Row:
        """How many sampled units change their concept under the other resampling, over all layers."""
        notes = [atlas.manifest["notes"]["resampling"] for atlas in self.atlases]
        changed, of = sum(note["changed"] for note in notes), sum(note["of"] for note in notes)
        share = round(changed / of, 4) if of else None
        return {"between": notes[0]["between"], "changed": changed, "of": of, "share": share}


def columns_of(table: pyarrow.Table) -> Table:
    """Columns of a table as arrays; null becomes NaN in float columns, None in columns of strings."""
    return {name: _column(table.column(name)) for name in table.column_names}


def _column(column: pyarrow.ChunkedArray) -> NDArray[Any]:
    if pyarrow.types.is_string(column.type):
        values = np.empty(len(column), object)
        values[:] = column.to_pylist()
        return values
    found: NDArray[Any] = column.to_numpy()
    return found


def _done(out: Path, study: Study) -> bool:
    """Whether the merged atlas is there already. Raises StoreError when `out` is something else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if (out / MANIFEST).exists() and read_json(out / MANIFEST).get("key") == study.key:
        return True
    raise StoreError(
        f"'{out.name}' exists and is not this merged atlas.",
        fix="Give another --out, or delete it if it is not needed.",
    )


def _write(merged: _Merge, out: Path) -> None:
    """Write under a temporary name beside `out`, then rename; nothing is left behind otherwise."""
    folder = out.with_name(f".{out.name}.merging")
    shutil.rmtree(folder, ignore_errors=True)
    started = time.time()
    try:
        merged.write(folder)
        names = [atlas.path.name for atlas in merged.atlases]
        seconds = round(time.time() - started, 3)
        write_json(folder / RUN, {"merged": names, "seconds": seconds, "finished": int(time.time())})
        with suppress(FileNotFoundError):
            out.rmdir()
        folder.rename(out)
    except OSError as error:
        raise cannot_write(out, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
