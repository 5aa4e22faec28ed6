"""Where the units that a linear probe leans on lie: by layer, shared between classes, exclusive to one.

Units are each class' top units by weight mass: see `unitscope.probes.selection`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from unitscope.probes.result import Row, rows_of
from unitscope.probes.scoring import by_class
from unitscope.probes.selection import Selection, by_mass, of_layers
from unitscope.probes.sides import Side

ALL = "all"


def layer_rows(
    weights: NDArray[np.floating], addresses: Sequence[str], names: Sequence[str], share: float
) -> list[Row]:
    """Of each class and of all together (`all`): how many top units lie in each layer, their share of the class' top
    units, and the layer's share of the class' whole weight mass.
    """
    layer_of_unit, layers = of_layers(addresses)
    chosen = by_mass(weights, share)
    classes = [*chosen.of_class, chosen.overall] if len(names) > 1 else list(chosen.of_class)
    titles = [*names, ALL] if len(names) > 1 else list(names)
    counts = Selection(tuple(classes), chosen.n_units).by_layer(layer_of_unit, len(layers))
    size = np.abs(np.asarray(weights, np.float64))
    masses = [*size, size.sum(0)] if len(names) > 1 else list(size)
    rows = []
    for title, count, mass in zip(titles, counts, masses, strict=True):
        of_layer = np.bincount(layer_of_unit, weights=mass, minlength=len(layers))
        total = float(of_layer.sum())
        for layer, n, part in zip(layers, count.tolist(), of_layer.tolist(), strict=True):
            rows.append((title, layer, n, n / max(int(count.sum()), 1), part / total if total else 0.0))
    return list(rows_of("layers", rows))


def counted_rows(units: Sequence[str], layers: Sequence[str]) -> list[Row]:
    """Of a probe without weights: how many of its `units` (addresses) lie in each layer, and their share."""
    own = [unit.rpartition(":")[0] for unit in units]
    counts = [own.count(layer) for layer in layers]
    rows = [(ALL, layer, n, n / max(len(units), 1), float("nan")) for layer, n in zip(layers, counts, strict=True)]
    return list(rows_of("layers", rows))


def weight_rows(weights: NDArray[np.floating], addresses: Sequence[str], names: Sequence[str]) -> list[Row]:
    """Weights on standardised values that are not zero, class by class, greatest magnitude first."""
    rows = []
    places = [address.rpartition(":") for address in addresses]
    for name, row in zip(names, np.asarray(weights, np.float64), strict=True):
        for unit in np.argsort(-np.abs(row), kind="stable").tolist():
            if row[unit] == 0:
                break
            rows.append((name, places[unit][0], int(places[unit][2]), float(row[unit])))
    return list(rows_of("weights", rows))


def class_rows(
    names: Sequence[str],
    train: Side,
    held: Side,
    found: NDArray[np.int32],
    *,
    untrained: NDArray[np.int32] | None,
    by_form: NDArray[np.int32],
    chosen: Selection | None,
) -> list[Row]:
    """Of each class: sites, recall with its interval, precision, recall on the untrained copy and by word identity, and
    how many top units it has, alone or shared.
    """
    n = len(names)
    truth = np.asarray(held.truth, np.int32)
    own = by_class(truth, found, held.block, n)
    copy = by_class(truth, untrained, held.block, n) if untrained is not None else None
    form = by_class(truth, by_form, held.block, n)
    n_train, n_held = (np.bincount(np.asarray(side.truth, np.int64), minlength=n) for side in (train, held))
    rows = []
    for i, name in enumerate(names):
        recall, precision = own[i]
        units: tuple[int | None, ...] = (None, None, None)
        if chosen is not None:
            n_units, exclusive = len(chosen.of_class[i]), len(chosen.exclusive(i))
            units = (n_units, exclusive, n_units - exclusive)
        rows.append(
            (
                name,
                int(n_train[i]),
                int(n_held[i]),
                recall.value,
                recall.low,
                recall.high,
                precision,
                float("nan") if copy is None else copy[i][0].value,
                form[i][0].value,
                *units,
            )
        )
    return list(rows_of("classes", rows))
