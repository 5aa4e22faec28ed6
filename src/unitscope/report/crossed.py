"""Tables of probes crossed with rankings, and of layers compared with each other, for the terminal."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.rankings.crossed import Crossed
from unitscope.rankings.similarity import Similarities
from unitscope.report.listing import Counts
from unitscope.report.plain import clean, counted, effect, finite
from unitscope.report.terminal import heading, legend

SHOWN = (
    ("debiased", "Debiased CKA", None),
    ("cka", "Linear CKA", "cka_chance"),
    ("svcca_held_out", "SVCCA, directions of half A on half B", "svcca_chance"),
    ("pwcca", "PWCCA", "pwcca_chance"),
)
"""Figures that are shown, what they are called, and the figure of their chance level."""


def crossed(found: Crossed, concepts: str) -> RenderableType:
    """A table a probe: rankings by numbers of units, beside random draws and the last units."""
    parts: list[RenderableType] = [
        Text(clean(f"Probes of {concepts}, fitted on half A: accuracy on half B"), style="bold")
    ]
    for p, probe in enumerate(found.probes):
        rows = [
            [
                clean(name),
                *(f"{effect(found.top[p, r, i])} ({effect(found.bottom[p, r, i])})" for i in range(len(found.ks))),
            ]
            for r, name in enumerate(found.rankings)
        ]
        drawn = found.random[p]
        rows.append(["drawn at random", *(effect(float(each.mean())) for each in drawn)])
        rows.append(["  least to greatest", *(f"{effect(float(d.min()))} to {effect(float(d.max()))}" for d in drawn)])
        heads = ["first (last) units", *(str(k) for k in found.ks)]
        parts += [heading(f"{probe} probe"), Counts(heads, rows)]
    parts.append(
        legend(
            f"first (last): of the ranking. random: {counted(found.random.shape[2], 'draw')} from the units that all "
            "rankings have. The linear probe's penalty was chosen once, on all units of half A."
        )
    )
    return Group(*parts)


def crossed_json(found: Crossed) -> list[Any]:
    """A row a probe, ranking and number of units."""
    return [finite(row) for row in found.rows()]


def similar(found: Similarities, told: str) -> RenderableType:
    """A matrix of layers a figure, with its chance level."""
    parts: list[RenderableType] = [Text(clean(told), style="dim")] if told else []
    for name, title, chance in SHOWN:
        parts += [heading(title), _matrix(found, getattr(found, name))]
        if chance is not None:
            values: NDArray[np.float64] = getattr(found, chance)
            span = f"{effect(float(values.min()))} to {effect(float(values.max()))}"
            parts.append(Text(f"with the sites of one side shifted: {span}", style="dim"))
    parts.append(
        legend(
            "CKA: how alike two layers place the sites (1: alike up to rotation and scale); debiased: near 0 for "
            "unrelated layers. SVCCA, PWCCA: mean correlation of the directions that two layers share, plain, and "
            "weighted by how much of the first layer they carry."
        )
    )
    return Group(*parts)


def _matrix(found: Similarities, figures: NDArray[np.float64]) -> Counts:
    heads = ["layer", *(str(j + 1) for j in range(len(found.layers_y)))]
    same = found.layers_x == found.layers_y
    rows = [
        [f"{i + 1} {clean(layer)}" if same else clean(layer), *(effect(float(value)) for value in figures[i])]
        for i, layer in enumerate(found.layers_x)
    ]
    if not same:
        rows += [["", *("" for _ in found.layers_y)]]
        rows += [[f"{j + 1}: {clean(layer)}", *("" for _ in found.layers_y)] for j, layer in enumerate(found.layers_y)]
    return Counts(heads, rows)


def similar_json(found: Similarities) -> list[Any]:
    """A row a pair of layers, with all figures."""
    return [finite(row) for row in found.rows()]
