"""Contextual, lexical or positional: what a tested association amounts to once word form and place are held fixed.

*Contextual*: the unit tells the concept's sites from others of the same word form, and still does at like positions
after position and sentence length are regressed out, both beyond luck (q < .05), and, where an untrained copy was run,
more strongly than the 99th percentile of that copy's units in the same layer. For a unit's further concepts, the
better ones are held fixed as well: a detector of nouns is none of plurals. *Positional*: within word forms only
until position and length are held fixed, or the concept is itself a position or length. *Lexical*: all else, effects
within forms that are no stronger than an untrained copy's among them.

On an image grid the cell's appearance takes the place of the word form and its row and column that of position and
length; what would be lexical is there *appearance*, and so is any match with a colour. On the grid `item` there is no
word form to hold fixed: a match is contextual only where it holds among texts of like length and exceeds an untrained
copy that was run, since that copy knows the texts' words as well; else it is lexical (of an image: appearance).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.stats.discoveries import adjust

LEVEL = 0.05
LOOKS = ("colours:",)
PLACES = ("position", "covariates:length", "place:")


def kinds(
    concept_names: NDArray[Any],
    form: NDArray[np.float64],
    form_p: NDArray[np.float64],
    place: NDArray[np.float64],
    place_p: NDArray[np.float64],
    bar: NDArray[np.float64],
    grid: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Kind of each match [n]: names, effects and p-values within form and within form at position, and the bar.

    `bar` [n] is the untrained copy's 99th percentile of the effect at position; NaN where none was run. `grid` [n] says
    what each match's sites are: `text`, `image`, `item`, or `image item` for whole images; None: all are text.
    """
    form_q, place_q = adjust(form_p), adjust(place_p)
    with np.errstate(invalid="ignore"):
        by_form = (form_q < LEVEL) & (form > 0.5)
        by_place = (place_q < LEVEL) & (place > 0.5)
        beyond = ~(place <= bar)
    is_place = _begin(concept_names, PLACES)
    found = np.full(len(concept_names), "lexical", object)
    found[by_form & ~by_place] = "positional"
    found[by_form & by_place & beyond] = "contextual"
    found[is_place] = "positional"
    if grid is not None:
        looks = _begin(concept_names, LOOKS)
        whole = np.isin(grid, ("item", "image item"))
        with np.errstate(invalid="ignore"):
            found[whole] = np.where(by_place & (place > bar), "contextual", "lexical")[whole]
        found[looks & (grid == "image")] = "appearance"
        found[(found == "lexical") & np.isin(grid, ("image", "image item"))] = "appearance"
    return found


def _begin(names: NDArray[Any], beginnings: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which names begin with any of these, each distinct name looked at once."""
    each = names.tolist()
    known = {name: str(name).startswith(beginnings) for name in set(each)}
    return np.array([known[name] for name in each], np.bool_)


def bars(layer: NDArray[np.int32], effect: NDArray[np.float64], n_layers: int) -> NDArray[np.float64]:
    """99th percentile of a baseline's effects in each layer, [n_layers]; NaN where it has none."""
    found = np.full(n_layers, np.nan)
    for index in range(n_layers):
        values = effect[(layer == index) & ~np.isnan(effect)]
        if len(values):
            found[index] = np.quantile(values, 0.99)
    return found
