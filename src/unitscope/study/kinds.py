"""Contextual, lexical or positional: what a tested association amounts to once word form and place are held fixed.

*Contextual*: the unit tells the concept's sites from others of the same word form, and still does at like positions
after position and sentence length are regressed out, both beyond luck (q < .05), and, where an untrained copy was run,
more strongly than the 99th percentile of that copy's units in the same layer. For a unit's further concepts, the
better ones are held fixed as well: a detector of nouns is none of plurals. *Positional*: within word forms only
until position and length are held fixed, or the concept is itself a position or length. *Lexical*: all else, effects
within forms that are no stronger than an untrained copy's among them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.stats.discoveries import adjust

LEVEL = 0.05
PLACES = ("position", "covariates:length")


def kinds(
    concept_names: NDArray[Any],
    form: NDArray[np.float64],
    form_p: NDArray[np.float64],
    place: NDArray[np.float64],
    place_p: NDArray[np.float64],
    bar: NDArray[np.float64],
) -> NDArray[Any]:
    """Kind of each match [n]: names, effects and p-values within form and within form at position, and the bar.

    `bar` [n] is the untrained copy's 99th percentile of the effect at position; NaN where none was run.
    """
    form_q, place_q = adjust(form_p), adjust(place_p)
    with np.errstate(invalid="ignore"):
        by_form = (form_q < LEVEL) & (form > 0.5)
        by_place = (place_q < LEVEL) & (place > 0.5)
        beyond = ~(place <= bar)
    is_place = np.array([str(name).startswith(PLACES) for name in concept_names], np.bool_)
    found = np.full(len(concept_names), "lexical", object)
    found[by_form & ~by_place] = "positional"
    found[by_form & by_place & beyond] = "contextual"
    found[is_place] = "positional"
    return found


def bars(layer: NDArray[np.int32], effect: NDArray[np.float64], n_layers: int) -> NDArray[np.float64]:
    """99th percentile of a baseline's effects in each layer, [n_layers]; NaN where it has none."""
    found = np.full(n_layers, np.nan)
    for index in range(n_layers):
        values = effect[(layer == index) & ~np.isnan(effect)]
        if len(values):
            found[index] = np.quantile(values, 0.99)
    return found
