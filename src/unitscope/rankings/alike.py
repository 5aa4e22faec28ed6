"""How alike the layers of an atlas are, with each other or with those of another model on the same corpus."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.atlas import Atlas
from unitscope.compared.sides import split_spec
from unitscope.extraction import activations_of
from unitscope.rankings.alignment import align
from unitscope.rankings.similarity import Similarities, similarities

if TYPE_CHECKING:
    from unitscope.corpora.base import Corpus
    from unitscope.models.base import Model

Tick = Callable[[str, int, int], None]


def alike(
    atlas: Atlas,
    other: str | None = None,
    *,
    layers: Sequence[str] = (),
    seed: int = 0,
    model: str | Model | None = None,
    corpus: str | Corpus | None = None,
    tick: Tick = lambda what, done, total: None,
) -> tuple[Similarities, str]:
    """CKA, SVCCA and PWCCA between all layers, and what the user should hear of the sites.

    `other` is `FOLDER[@BASELINE][:GLOB]`, an atlas of another model on the same corpus; without it the layers of the
    atlas are compared with each other. Raises RankingError where there are too few sites or layers that do not vary.
    """
    own = activations_of(atlas, layers=layers, model=model, corpus=corpus, tick=tick)
    columns = _columns(own)
    if other is None:
        return similarities(own, own, columns, columns, own.halves, seed=seed), ""
    folder, variant, glob = split_spec(other)
    second = activations_of(Atlas.open(folder), layers=(glob,) if glob else (), variant=variant or "trained", tick=tick)
    both = align(own, {other: second})
    found = similarities(both.x, both.others[other], columns, _columns(second), both.halves, seed=seed)
    return found, both.told


def _columns(of: Activations) -> dict[str, NDArray[np.int64]]:
    """Columns of each layer's units."""
    return {
        layer.address: np.arange(start, stop)
        for layer, start, stop in zip(of.layers, of.starts[:-1].tolist(), of.starts[1:].tolist(), strict=True)
    }
