"""The atlas: a study's result on disk, and how to ask it.

A folder of Parquet tables (units, matches, concepts, clips), safetensors scores and a manifest; DuckDB reads the
tables where they lie, and they open in pandas and polars as they are. Every file's SHA-256 is in `checksums.json` and
is checked when the file is first read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import StoreError, closest
from unitscope.store import ArrayFile, read_arrays, read_json, sha256_of, writing

if TYPE_CHECKING:
    import pyarrow

    from unitscope.bases.base import Basis

SCHEMA = 2
KINDS = ("contextual", "lexical", "positional", "appearance")
CLIPS = ("top", "low", "band", "random", "missed")
ROWS_IN_GROUP = 16_384
"""Rows of a table that are read together: few enough that one unit's clips are found without reading all."""
MANIFEST, CHECKSUMS, RUN = "manifest.json", "checksums.json", "run.json"
IMAGES = "images"
"""Folder of the pictures that clips show."""
TABLES = ("units", "tests", "matches", "concepts", "clips", "items")
OPTIONAL = ("density", "writes", "attributions", "unit_names", "formulas", "ladder")
"""Tables that an atlas need not have."""
Row = dict[str, Any]


@dataclass
class Atlas:
    """An opened atlas. Reads lazily; never changes anything on disk."""

    path: Path
    manifest: Mapping[str, Any]
    _checksums: Mapping[str, str] = field(repr=False)
    _checked: set[str] = field(default_factory=set, repr=False)

    @classmethod
    def open(cls, path: str | Path) -> Atlas:
        """Open a folder. Raises StoreError when it is no atlas, of another schema version, or corrupted."""
        folder = Path(path)
        if not (folder / MANIFEST).exists():
            raise StoreError(
                f"'{path}' is no atlas: it has no {MANIFEST}.",
                expected="a folder made by `unitscope map`",
                fix="A run that was stopped is finished by running the same command again.",
            )
        manifest = read_json(folder / MANIFEST)
        study = manifest.get("study") if isinstance(manifest, dict) else None
        schema = study.get("schema") if isinstance(study, dict) else None
        if schema != SCHEMA:
            raise StoreError(
                f"'{path}' has schema version {schema}.",
                expected=f"version {SCHEMA}",
                fix="Open it with the version of unitscope that made it, or map again.",
            )
        checksums = read_json(folder / CHECKSUMS)
        atlas = cls(folder, manifest, checksums if isinstance(checksums, dict) else {})
        atlas._check(MANIFEST)
        return atlas

    def __repr__(self) -> str:
        study = self.manifest["study"]
        return f"Atlas({study['model']} over {study['corpus']}: {len(self.layers)} layers)"

    @property
    def layers(self) -> list[str]:
        """Addresses of the mapped layers, in order of execution."""
        return [layer["address"] for layer in self.manifest["study"]["layers"]]

    @property
    def summary(self) -> Mapping[str, Any]:
        """Counts by variant and layer; see `docs/explanation/honest-numbers.md`."""
        summary: Mapping[str, Any] = self.manifest["summary"]
        return summary

    def table(self, name: str) -> pyarrow.Table:
        """A whole table as pyarrow: one of `TABLES`, or a baseline's, such as `baselines/untrained.units`."""
        from pyarrow import parquet

        self._check(f"{name}.parquet")
        return parquet.read_table(self.path / f"{name}.parquet")

    def has(self, name: str) -> bool:
        """Whether the atlas has a table, such as the optional `writes`."""
        return f"{name}.parquet" in self._checksums

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Rows of a DuckDB query over the views `units`, `tests`, `matches`, `concepts`, `clips`, `items`,
        and those of `OPTIONAL` that the atlas has.

        Raises StoreError when the query makes no sense.
        """
        import duckdb

        with duckdb.connect() as connection:
            for name in (*TABLES, *(name for name in OPTIONAL if self.has(name))):
                self._check(f"{name}.parquet")
                source = _literal(self.path / f"{name}.parquet")
                connection.execute(f"create view {name} as from read_parquet({source}, hive_partitioning = false)")
            try:
                result = connection.execute(query, list(parameters))
                names = [column[0] for column in (result.description if result else None) or ()]
                if not names:
                    raise StoreError("Got an empty query.", expected="one SQL query, such as 'select * from units'")
                return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
            except duckdb.Error as error:
                raise StoreError(f"The query failed: {error}", fix="See `unitscope show --help`.") from error

    def units(self, layer: str | None = None) -> list[Row]:
        """Rows of the units table, of one layer or all."""
        if layer is None:
            return self.sql("select * from units")
        self._known_layer(layer)
        return self.sql("select * from units where layer = ? order by unit", [layer])

    def matches(
        self, *, layer: str | None = None, concept: str | None = None, measure: str = "auroc", kind: str | None = None
    ) -> list[Row]:
        """Reported matches under one measure, strongest first.

        Raises StoreError when the atlas has no such layer, concept or measure, and for an unknown kind.
        """
        self._known_measure(measure)
        if kind is not None and kind not in KINDS:
            raise StoreError(f"Unknown kind '{kind}'.", expected=f"one of {', '.join(KINDS)}", fix=closest(kind, KINDS))
        conditions, parameters = ["measure = ?"], [measure]
        for name, value in (("layer", layer), ("concept", concept), ("kind", kind)):
            if value is not None:
                conditions.append(f"{name} = ?")
                parameters.append(value)
        if concept is not None:
            self._known_concept(concept)
        if layer is not None:
            self._known_layer(layer)
        where = " and ".join(conditions)
        return self.sql(f"select * from matches where {where} order by score desc, layer, unit", parameters)

    def names(self, layer: str) -> dict[int, str]:
        """Names of a layer's units, for layers whose units have names (attention mass); else empty."""
        self._known_layer(layer)
        if "unit_names.parquet" not in self._checksums:
            return {}
        rows = self.sql("select unit, name from unit_names where layer = ? order by unit", [layer])
        return {row["unit"]: row["name"] for row in rows}

    def basis(self, layer: str) -> Basis:
        """The basis that a layer's units are of: fitted ones are kept in the atlas, rotations are drawn again.

        Raises StoreError for a layer of the model's own, and for a basis that was given as a file.
        """
        from unitscope.bases.base import Basis
        from unitscope.bases.rotation import rotation

        self._known_layer(layer)
        described = next(each for each in self.manifest["study"]["layers"] if each["address"] == layer)
        kind, _, argument = str(described.get("basis", "")).partition(":")
        if kind == "rotation":
            return rotation(described["width"], int(argument), layer.rpartition("~")[0])
        name = f"bases/{layer}.safetensors"
        if name not in self._checksums:
            raise StoreError(
                f"This atlas does not hold the basis of layer '{layer}'.",
                expected="a layer of principal components or a rotation",
                fix="Load a given basis from its own file: see unitscope.bases.",
            )
        self._check(name)
        return Basis.load(*read_arrays(self.path / name))

    def concepts(self) -> list[Row]:
        """Rows of the concepts table."""
        return self.sql("select * from concepts")

    def unit(self, address: str) -> UnitRecord:
        """Everything about one unit, by `layer:index`. Raises StoreError when the atlas has no such unit."""
        layer, _, index = address.rpartition(":")
        self._known_layer(layer, address)
        width = next(each["width"] for each in self.manifest["study"]["layers"] if each["address"] == layer)
        if not index.isdecimal() or int(index) >= width:
            raise StoreError(f"Got unit '{index}' of layer '{layer}'.", expected=f"an index from 0 to {width - 1}")
        key = [layer, int(index)]
        found = self.sql("select * from units where layer = ? and unit = ?", key)
        matches = self.sql(
            "select * from matches where layer = ? and unit = ? order by slot, measure <> 'auroc', measure", key
        )
        clips = self.sql(
            'select c.*, i.id, i.group, i.words[c.position + 1] as word, i.* exclude (item, grid, id, "group") '
            "from clips c join items i using (grid, item) where layer = ? and unit = ? "
            f"order by list_position({list(CLIPS)}, kind), rank",
            key,
        )
        written = "select * from writes where layer = ? and unit = ? order by kind desc, sign desc, rank"
        writes = self.sql(written, key) if self.has("writes") else []
        attributed = "select * from attributions where layer = ? and unit = ?"
        attribution = self.sql(attributed, key) if self.has("attributions") else []
        return UnitRecord(
            address,
            found[0],
            tuple(matches),
            Clips.of(clips, found[0]),
            tuple(writes),
            attribution[0] if attribution else None,
        )

    def concept(self, name: str) -> ConceptRecord:
        """A concept with the units that carry it. Raises StoreError when the atlas has no such concept."""
        self._known_concept(name)
        rows = [row for row in self.concepts() if row["concept"] == name]
        return ConceptRecord(name, tuple(rows), tuple(self.matches(concept=name)))

    def _repr_html_(self) -> str:
        from unitscope.report.notebook import atlas_html

        return atlas_html(self)

    def scores(self, measure: str, layer: str) -> NDArray[np.float32]:
        """Unsplit scores [U, C] of a layer under a measure's key; columns as `concept_names(layer)`."""
        self._known_measure(measure)
        self._known_layer(layer)
        name = f"scores/{measure}.safetensors"
        self._check(name)
        scores: NDArray[np.float32] = ArrayFile(self.path / name).read(layer)
        return scores

    def concept_names(self, layer: str) -> list[str]:
        """Names of the columns of `scores` of a layer."""
        self._known_layer(layer)
        grid = next(each["grid"] for each in self.manifest["study"]["layers"] if each["address"] == layer)
        rows = self.sql("select concept from concepts where grid = ?", [grid])
        return [row["concept"] for row in rows]

    def verify(self) -> None:
        """Check every file's bytes. Raises StoreError naming the first that does not fit."""
        for name in self._checksums:
            self._check(name)

    def _check(self, name: str) -> None:
        if name in self._checked:
            return
        if name not in self._checksums:
            raise StoreError(f"This atlas has no '{name}'.", fix=closest(name, self._checksums))
        if sha256_of(self.path / name) != self._checksums[name]:
            raise StoreError(
                f"'{name}' of the atlas '{self.path.name}' is corrupted (its checksum does not fit).",
                fix="Restore it from a copy, or delete the atlas and map again.",
            )
        self._checked.add(name)

    def _known_layer(self, layer: str, got: str | None = None) -> None:
        if layer not in self.layers:
            near = closest(layer, self.layers)
            what = f"Unit '{got}'" if got else f"Layer '{layer}'"
            raise StoreError(f"{what} is not in this atlas.", fix=near or f"Its layers: {', '.join(self.layers)}")

    def _known_measure(self, measure: str) -> None:
        known = self.manifest["measures"]
        if measure not in known:
            raise StoreError(f"No measure '{measure}' in this atlas.", expected=f"one of {', '.join(known)}")

    def _known_concept(self, concept: str) -> None:
        names = [row["concept"] for row in self.concepts()]
        if concept not in names:
            raise StoreError(f"Concept '{concept}' is not in this atlas.", fix=closest(concept, names))


class Clips(tuple[Row, ...]):
    """Clips of one unit, each with its item's words; as heat maps in a notebook."""

    unit: Row

    @classmethod
    def of(cls, rows: Iterable[Row], unit: Row) -> Clips:
        """Clips with the row of their unit, whose range of values gives the colours."""
        clips = cls(rows)
        clips.unit = unit
        return clips

    def _repr_html_(self) -> str:
        from unitscope.report.notebook import clips_html

        return clips_html(self, self.unit)


@dataclass(frozen=True)
class ConceptRecord:
    """One concept: its rows, one a grid, and its reported matches under AUROC, strongest first."""

    name: str
    rows: tuple[Row, ...]
    matches: tuple[Row, ...]

    def _repr_html_(self) -> str:
        from unitscope.report.notebook import concept_html

        return concept_html(self)


@dataclass(frozen=True)
class UnitRecord:
    """One unit: its row, its reported matches (a row a measure), its clips with the items they show, kind by kind, and
    the tokens that it writes, and what that does to the token that comes next; the last two where they were asked for.
    """

    address: str
    row: Row
    matches: tuple[Row, ...]
    clips: Clips
    writes: tuple[Row, ...] = ()
    attribution: Row | None = None

    def of_kind(self, kind: str) -> Clips:
        """Clips of one of `CLIPS`: `top` (highest sites, one an item), `low`, `band`, `random`, `missed`."""
        return Clips.of((row for row in self.clips if row["kind"] == kind), self.row)

    def _repr_html_(self) -> str:
        from unitscope.report.notebook import unit_html

        return unit_html(self)


def _literal(path: Path) -> str:
    """A path as DuckDB's string that matches this file alone, whatever glob characters are in it."""
    exact = re.sub(r"[*?\[]", lambda match: f"[{match[0]}]", str(path))
    return "'" + exact.replace("'", "''") + "'"


def write_table(path: Path, columns: Mapping[str, Any]) -> None:
    """Write columns as Parquet, atomically; NaN in float columns and None elsewhere become null."""
    import pyarrow
    from pyarrow import parquet

    arrays = {}
    for name, column in columns.items():
        values = np.asarray(column)
        if values.dtype == object:
            arrays[name] = _strings(values)
        elif values.dtype.kind == "f":
            arrays[name] = pyarrow.array(values.astype(np.float64), from_pandas=True)
        else:
            arrays[name] = pyarrow.array(values)
    texts = [name for name, array in arrays.items() if not pyarrow.types.is_floating(array.type)]
    with writing(path) as file:
        parquet.write_table(pyarrow.table(arrays), file, compression="zstd", use_dictionary=texts)


def write_arrow(path: Path, tables: pyarrow.Table | Iterable[pyarrow.Table]) -> None:
    """Write a table with lists, or several as one, as Parquet, atomically, in groups of 16,384 rows.

    The bytes do not depend on how the rows are cut into tables. At least one table must be given.
    """
    import pyarrow
    from pyarrow import parquet

    parts = iter([tables] if isinstance(tables, pyarrow.Table) else tables)
    waiting = next(parts)
    # Rounded values have two bytes of zeros, which packing by bytes finds.
    packed = {"value": pyarrow.types.is_floating, "values": pyarrow.types.is_list}
    names = waiting.column_names
    split = [name for name, fits in packed.items() if name in names and fits(waiting.schema.field(name).type)]
    others = [name for name in names if name not in split]
    packing: dict[str, Any] = {
        "use_dictionary": others,
        "write_statistics": others,  # rows are looked for by unit, never by value
        "use_byte_stream_split": ["values.list.element" if name == "values" else name for name in split],
    }
    with writing(path) as file, parquet.ParquetWriter(file, waiting.schema, compression="zstd", **packing) as writer:
        for part in itertools.chain(parts, [None]):
            while len(waiting) >= ROWS_IN_GROUP or (part is None and len(waiting)):
                writer.write_table(waiting.slice(0, ROWS_IN_GROUP).combine_chunks())
                waiting = waiting.slice(ROWS_IN_GROUP)
            if part is not None:
                waiting = pyarrow.concat_tables([waiting, part])


def list_column(values: NDArray[Any], lengths: NDArray[Any]) -> pyarrow.ListArray:
    """Lists of these lengths, one after the other, of flat values; NaN becomes null.

    >>> list_column(np.array([1.0, np.nan, 2.0]), np.array([2, 0, 1])).to_pylist()
    [[1.0, None], [], [2.0]]
    """
    import pyarrow

    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = pyarrow.array(values, from_pandas=True)
    return pyarrow.ListArray.from_arrays(pyarrow.array(offsets), flat, type=lists_of(flat.type))


def lists_of(kind: pyarrow.DataType) -> pyarrow.ListType:
    """The type of lists of a kind, under the name that Parquet gives their elements."""
    import pyarrow

    return pyarrow.list_(pyarrow.field("element", kind))


def _strings(values: NDArray[Any]) -> pyarrow.Array:
    """Strings as UTF-8; lone surrogates, which it cannot hold, become question marks."""
    import pyarrow

    try:
        return pyarrow.array(values, type=pyarrow.string())
    except UnicodeEncodeError:
        clean = [None if each is None else each.encode("utf-8", "replace").decode("utf-8") for each in values.tolist()]
        return pyarrow.array(clean, type=pyarrow.string())
