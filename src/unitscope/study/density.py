"""Densities: a histogram of every unit's values over all sites, for the pages of an atlas.

Bins are of equal width from a unit's least to its greatest value. Counts come from the units' orders by bisection,
a few hundred steps a unit, so they cost next to nothing beside the statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import Keys, kernel
from unitscope.atlas import list_column
from unitscope.stats.sorting import Order
from unitscope.stats.view import View

if TYPE_CHECKING:
    import pyarrow

    from unitscope.study.plan import Study

N_BINS = 48


def counts(view: View) -> NDArray[np.int32]:
    """Sites in each bin from a unit's least to its greatest value, [U, 48]; a value on an edge is in the upper bin."""
    return _counts(view.keys, view.order, view.value_of, N_BINS)


@kernel
def _counts(keys: Keys, order: Order, value_of: NDArray[np.float32], n_bins: int) -> NDArray[np.int32]:
    n_units, n_sites = keys.shape
    found = np.zeros((n_units, n_bins), np.int32)
    if n_sites == 0:
        return found
    for u in range(n_units):
        low, high = value_of[keys[u, order[u, n_sites - 1]]], value_of[keys[u, order[u, 0]]]
        before = 0
        for i in range(1, n_bins + 1):
            edge = np.float64(low) + (np.float64(high) - np.float64(low)) * i / n_bins
            start, stop = before, n_sites
            while start < stop and i < n_bins:
                middle = (start + stop) // 2
                if np.float64(value_of[keys[u, order[u, n_sites - 1 - middle]]]) < edge:
                    start = middle + 1
                else:
                    stop = middle
            after = n_sites if i == n_bins else start
            found[u, i - 1] = after - before
            before = after
    return found


def density_table(study: Study, arrays: Mapping[str, NDArray[Any]], usable: NDArray[np.bool_]) -> pyarrow.Table:
    """One row a unit that varies: the ends of its values and the counts between them, in order of layer and unit."""
    import pyarrow

    address = np.array([layer.address for layer in study.layers], object)
    histograms = arrays["density"][usable]
    return pyarrow.table(
        {
            "layer": pyarrow.array(address[arrays["layer"][usable]], type=pyarrow.string()),
            "unit": arrays["unit"][usable],
            "low": arrays["moments"][usable, 2].astype(np.float64),
            "high": arrays["moments"][usable, 3].astype(np.float64),
            "counts": list_column(histograms.reshape(-1), np.full(len(histograms), N_BINS)),
        }
    )
