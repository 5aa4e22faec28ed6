"""A made-up grid: sites with items, positions, forms and concepts, and units that follow some of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from unitscope.concepts.table import ConceptTable
from unitscope.study.frame import Frame, make_frame
from unitscope.study.prepare import Sites

NAMES = ("a:frequent", "a:rare", "a:too-rare", "b:like-frequent", "b:form", "c:half-known", "c:other")


def table_of(masks: NDArray[np.bool_], names: tuple[str, ...], known: dict[str, NDArray[np.bool_]]) -> ConceptTable:
    indptr = np.concatenate([[0], np.cumsum(masks.sum(axis=0))]).astype(np.int64)
    sites = np.nonzero(masks.T)[1].astype(np.int32)
    return ConceptTable(names, tuple(name.partition(":")[0] for name in names), indptr, sites, len(masks), known)


@pytest.fixture(scope="session")
def grid() -> Any:
    """Arrays over all sites: `sites`, `groups`, `masks` [S, C], `known` of category c, `valid`, `table`, `values`."""
    draw = np.random.default_rng(4)
    lengths = draw.integers(3, 9, size=300)
    item = np.repeat(np.arange(300), lengths).astype(np.int32)
    position = np.concatenate([np.arange(n) for n in lengths]).astype(np.int32)
    n = len(item)
    form = draw.integers(0, 25, size=n).astype(np.int32)
    sites = Sites(item, position, np.repeat(lengths, lengths).astype(np.int32), form)
    known = draw.random(n) < 0.6
    frequent = draw.random(n) < 0.3
    masks = np.stack(
        [
            frequent,
            draw.random(n) < 0.06,
            draw.random(n) < 0.008,
            frequent ^ (draw.random(n) < 0.02),
            form < 4,
            (draw.random(n) < 0.4) & known,
            (draw.random(n) < 0.2) & known,
        ],
        axis=1,
    )
    noise = draw.normal(size=(n, 12))
    values = noise.copy()
    for unit, (concept, strength) in enumerate([(0, 2.0), (0, -2.0), (1, 1.5), (4, 1.0), (5, 2.0), (6, -1.5)]):
        values[:, unit] += strength * masks[:, concept]
    values[:, 6] += 1.2 * masks[:, 0] - 1.2 * masks[:, 4]
    values[:, 7] *= 1e6
    values[:, 8] = 1.5
    values[:, 9] = np.where(np.arange(n) == 17, 1.0, 0.0)
    values[5, 10] = np.nan
    values = np.asarray(values, np.float32)
    valid = draw.random(n) < 0.95
    valid[[5, 17]] = True
    groups = [f"g{number // 5}" for number in range(300)]
    table = table_of(masks, NAMES, {"c": known})
    return SimpleNamespace(
        sites=sites, groups=groups, masks=masks, known=known, valid=valid, table=table, values=values
    )


@pytest.fixture(scope="session")
def frame(grid: Any) -> Frame:
    """The frame of the made-up grid."""
    return make_frame(grid.sites, grid.groups, grid.table, grid.valid, 3)
