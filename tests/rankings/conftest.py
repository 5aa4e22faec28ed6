"""Made-up activations whose truth is known, and an atlas that may be written beside."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.atlas import Atlas
from unitscope.concepts.table import ConceptTable

CLASSES = ("tag:A", "tag:B", "tag:C", "tag:rare")


def table_of(masks: dict[str, NDArray[np.bool_]], known: dict[str, NDArray[np.bool_]] | None = None) -> ConceptTable:
    """A concept table of boolean masks by full name."""
    n_sites = len(next(iter(masks.values())))
    return ConceptTable(
        names=tuple(masks),
        categories=tuple(name.partition(":")[0] for name in masks),
        indptr=np.concatenate([[0], np.cumsum([mask.sum() for mask in masks.values()])]).astype(np.int64),
        sites=np.concatenate([np.flatnonzero(mask) for mask in masks.values()]).astype(np.int32),
        n_sites=n_sites,
        known=known or {},
    )


@pytest.fixture(scope="session")
def made() -> Callable[..., Activations]:
    """Activations of two layers over 400 sites in 100 groups.

    Unit `one:0` carries A by high values and `one:1` B by low ones, both small; `one:2` is loud noise, `one:3` is
    constant, `one:4` has NaN at some of the first 40 sites, and `two:0` to `two:3` are noise. `tag:rare` has 3 sites;
    `odd:X` holds anywhere.
    """

    def make(seed: int = 0) -> Activations:
        random = np.random.default_rng(seed)
        of_site = random.choice(4, 400, p=[0.4, 0.3, 0.25, 0.05])
        of_site[of_site == 3] = 2
        of_site[[3, 150, 390]] = 3
        one = random.normal(size=(400, 5))
        one[:, 0] = 0.1 * (one[:, 0] + 4.0 * (of_site == 0))
        one[:, 1] = 0.1 * (one[:, 1] - 4.0 * (of_site == 1))
        one[:, 2] *= 50
        one[:, 3] = 2.5
        one[:40:4, 4] = np.nan
        masks = {name: of_site == i for i, name in enumerate(CLASSES)}
        masks["odd:X"] = random.random(400) < 0.3
        masks["odd:Y"] = random.random(400) < 0.3
        known = np.ones(400, np.bool_)
        known[:40] = False
        masks["part:Z"] = (of_site == 0) & known
        values = {"one": one.astype(np.float32), "two": random.normal(size=(400, 4)).astype(np.float32)}
        groups = [f"doc{i // 4}" for i in range(400)]
        return Activations.of_arrays(values, table_of(masks, {"part": known}), groups=groups)

    return make


@pytest.fixture
def atlas(tiny_atlas: Path, tmp_path: Path) -> Atlas:
    """A copy of the tiny atlas, to be written beside."""
    shutil.copytree(tiny_atlas, tmp_path / "atlas")
    return Atlas.open(tmp_path / "atlas")
