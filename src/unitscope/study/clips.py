"""Tables of clips, and of the items they show, so that an atlas is read with neither model nor corpus.

Every unit that varies has its highest and lowest sites, reported or not: what is reported depends on the other units,
and an unreported unit's highest sites are what its reader wants to see. Tested units have drawn ones beside them: see
`unitscope.study.clipsites`. A clip has the unit's value at every site shown, and points to its item; an item is
written once, however many units show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import singledispatch
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from unitscope.arrays import key_table
from unitscope.atlas import list_column, lists_of
from unitscope.sites import ITEM, Cells, Image, Item, Text, Whole, widened
from unitscope.study.clipsites import BANDS, KINDS, N_IN_BAND, SIZES, window_of, window_on
from unitscope.study.frame import Frame
from unitscope.study.pictures import picture_name, write_picture
from unitscope.study.plan import Study
from unitscope.study.prepare import Prepared
from unitscope.study.showing import shown_whole

Arrays = Mapping[str, NDArray[Any]]
Shown = dict[str, NDArray[np.int32]]
"""Numbers of the items shown, ascending, by grid."""
_KIND = np.repeat(np.arange(len(KINDS)), SIZES)
_BAND = KINDS.index("band")


def clip_tables(
    study: Study, frames: Mapping[str, Frame], blocks: Iterable[Arrays], shown: Shown
) -> Iterator[pyarrow.Table]:
    """A table a block with a row a clip, ordered by layer, unit, kind and rank; `shown` is told which items they show.

    `blocks` have `layer`, `unit`, `scale`, `concept`, `sign`, `clip.sites` and `clip.keys` of units in order.
    """
    for arrays in blocks:
        layer = study.layers[int(arrays["layer"][0])]
        columns: dict[str, Any] = _of_block(layer.grid, frames[layer.grid], arrays)
        shown[layer.grid] = np.union1d(shown.get(layer.grid, np.zeros(0, np.int32)), columns["item"])
        # None is the last of the names, where -1 points.
        names = pyarrow.array([*frames[layer.grid].table.names, None], pyarrow.string())
        lengths = columns.pop("length")
        columns |= {
            "layer": _same(layer.address, len(lengths)),
            "kind": pyarrow.array(KINDS, pyarrow.string()).take(pyarrow.array(columns["kind"])),
            "concept": names.take(pyarrow.array(columns["concept"] % len(names))),
            "grid": _same(layer.grid, len(lengths)),
            "values": list_column(columns["values"], lengths),
        }
        made = {
            name: pyarrow.array(each, from_pandas=True) if isinstance(each, np.ndarray) else each
            for name, each in columns.items()
        }
        yield pyarrow.table([made[name] for name in _COLUMNS], names=list(_COLUMNS))


def _same(text: str, n: int) -> pyarrow.Array:
    return pyarrow.array([text], pyarrow.string()).take(pyarrow.array(np.zeros(n, np.int32)))


_COLUMNS = (
    *("layer", "unit", "kind", "rank", "low_quantile", "high_quantile", "concept", "grid", "item", "position"),
    *("value", "first", "values"),
)


def _of_block(grid: str, frame: Frame, arrays: Arrays) -> dict[str, NDArray[Any]]:
    """Columns of the clips of some units of one layer: kinds and concepts by number, values flat, `length` of them."""
    sites = arrays["clip.sites"]
    row, column = np.nonzero(sites >= 0)
    site, kind = sites[row, column], _KIND[column]
    places = frame.places
    position, item = places.position[site], frame.sites.item[site]
    first, n_shown = window_of(position, places.length[site], window_on(grid))
    scale = arrays["scale"].astype(np.float32)[row]
    values = key_table()[arrays["clip.keys"]]
    values *= np.repeat(scale, n_shown)
    own = np.concatenate([[0], np.cumsum(n_shown)])[:-1] + position - first
    low, high = _quantiles(column, kind, arrays["sign"][row, 0])
    return {
        "unit": arrays["unit"][row].astype(np.int32),
        "kind": kind.astype(np.int32),
        "rank": _ranks(row, kind),
        "low_quantile": low,
        "high_quantile": high,
        "concept": np.where(kind == KINDS.index("missed"), arrays["concept"][row, 0], -1).astype(np.int32),
        "item": item.astype(np.int32),
        "position": position.astype(np.int32),
        "value": values[own],
        "first": first.astype(np.int32),
        "values": values,
        "length": n_shown,
    }


def _ranks(row: NDArray[np.intp], kind: NDArray[Any]) -> NDArray[np.int32]:
    """Ranks from 1 within each unit and kind, in the order of the rows."""
    run = row * len(KINDS) + kind
    starts = np.flatnonzero(np.concatenate([[True], run[1:] != run[:-1]])) if len(run) else np.zeros(0, np.intp)
    lengths = np.diff(np.append(starts, len(run)))
    return (np.arange(len(run)) - np.repeat(starts, lengths) + 1).astype(np.int32)


def _quantiles(
    column: NDArray[np.intp], kind: NDArray[Any], sign: NDArray[np.int8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Limits of the bands of clips, in quantiles of the unit's own values; NaN for other kinds."""
    band = np.clip((column - sum(SIZES[:_BAND])) // N_IN_BAND, 0, len(BANDS) - 1)
    limits = np.array(BANDS)[band]
    limits = np.where((sign < 0)[:, None], 1 - limits[:, ::-1], limits).round(6)
    limits[kind != _BAND] = np.nan
    return limits[:, 0].astype(np.float64), limits[:, 1].astype(np.float64)


def item_table(
    prepared: Prepared, shown: Shown, cells: Mapping[str, Cells] = MappingProxyType({}), pictures: Path | None = None
) -> pyarrow.Table:
    """A row an item and grid, by grid and number. Read shard by shard.

    `cells` says how pictures are cut for each image grid. A picture that is shown is written into `pictures`, once.
    """
    rows: list[dict[str, Any]] = []
    written: set[int] = set()
    for grid in sorted(shown):
        for number, item in _items(prepared, shown[grid], cells):
            known = {"item": number, "id": item.id, "group": item.group, "grid": grid}
            what = shown_whole(item) if grid == ITEM else item.grids[grid]
            if isinstance(what, Image):
                known["image"] = picture_name(number)
                if pictures is not None and number not in written:
                    write_picture(what, number, pictures)
                    written.add(number)
            rows.append(known | describe(what))
    return rows_of_items(rows)


def _items(prepared: Prepared, numbers: NDArray[np.int32], cells: Mapping[str, Cells]) -> Iterator[tuple[int, Item]]:
    shard, items, per_shard = -1, [], prepared.items_per_shard
    for number in numbers.tolist():
        if number // per_shard != shard:
            shard = number // per_shard
            items = prepared.items(shard)
        yield number, widened(items[number % per_shard], cells, False)


@singledispatch
def describe(grid: Any) -> dict[str, Any]:
    """What the table of items says of one item's grid: `words` and `spaces`, or `image`, `rows` and `columns`.

    One function a class of grid: register it where the class is.
    """
    raise TypeError(f"No way is known to show a {type(grid).__name__}.")


@describe.register
def describe_text(grid: Text) -> dict[str, Any]:
    """Words, and whether anything stands between each and the next.

    >>> describe(Text("It's so", ((0, 2), (2, 4), (5, 7))))
    {'words': ['It', "'s", 'so'], 'spaces': [False, True, False]}
    """
    ends = [end for _, end in grid.spans]
    starts = [start for start, _ in grid.spans[1:]]
    return {
        "words": list(grid.words),
        "spaces": [start > end for end, start in zip(ends, starts, strict=False)] + [False] * (len(ends) > 0),
    }


@describe.register
def describe_image(grid: Image) -> dict[str, Any]:
    """Rows and columns of its cells; one of each for a picture as a whole."""
    return {"rows": grid.cells.rows, "columns": grid.cells.columns} if grid.cells else {"rows": 1, "columns": 1}


@describe.register
def describe_whole(grid: Whole) -> dict[str, Any]:
    """Nothing: there is only the item's id."""
    return {}


def rows_of_items(rows: Sequence[Mapping[str, Any]]) -> pyarrow.Table:
    """The table of items; lone surrogates, which UTF-8 cannot hold, become question marks."""
    types = {
        "item": pyarrow.int32(),
        "id": pyarrow.string(),
        "group": pyarrow.string(),
        "grid": pyarrow.string(),
        "words": lists_of(pyarrow.string()),
        "spaces": lists_of(pyarrow.bool_()),
        "image": pyarrow.string(),
        "rows": pyarrow.int32(),
        "columns": pyarrow.int32(),
    }
    return pyarrow.table(
        {name: pyarrow.array([_whole(row.get(name)) for row in rows], kind) for name, kind in types.items()}
    )


def _whole(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    return [_whole(each) for each in value] if isinstance(value, list) else value
