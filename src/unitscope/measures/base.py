"""What a measure is: a function from statistics to scores [U, C], written as a frozen dataclass.

The fields are its parameters. `asks()` names the statistics it needs; `score(*statistics)` turns them into scores.
A measure never sees halves, blocks or null draws: the study evaluates it on whatever fold it is shown. One measure a
file in this package, or a class under the entry point group `unitscope.measures`; `tests/laws` runs all of them
through the same contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from unitscope.errors import MeasureError
from unitscope.stats.view import Columns, Request, View

Scores = NDArray[np.float64]
Ends = Literal["upper", "lower", "both"]


@dataclass(frozen=True)
class Measure(ABC):
    """A score of every unit for every concept.

    `name` is the command line's and the file's name; `bounds` the attainable range; `null` the score of a unit
    unrelated to the concept where that is one number, else None; `ends` the end of the unit's scale at which it looks
    for the concept. A two-ended measure is mirrored about `null` for a unit that detects by low values.
    """

    name: ClassVar[str]
    bounds: ClassVar[tuple[float, float]]
    null: ClassVar[float | None] = None

    @property
    def ends(self) -> Ends:
        """End of the unit's scale that counts as detection."""
        return getattr(self, "tail", "both")

    @property
    def key(self) -> str:
        """Name with the end it looks at: `iou`, `iou_lower`; unique in an atlas."""
        return self.name if self.ends != "lower" else f"{self.name}_lower"

    @property
    def parameters(self) -> dict[str, Any]:
        """Fields and values, for the manifest."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @abstractmethod
    def asks(self) -> tuple[Request[Any], ...]:
        """Statistics needed, in the order `score` takes them."""

    @abstractmethod
    def score(self, *statistics: Any) -> Scores:
        """Scores [U, C]; NaN where a score is undefined (no site, a constant unit)."""

    def ceiling(self, *statistics: Any) -> Scores | None:
        """Greatest score the unit could attain given how often it and the concept are on, [U, C]; None: no limit."""
        return None

    def chance(self, *statistics: Any) -> Scores | None:
        """Expected score of an unrelated unit where it is no one number, to be spread over [U, C]; None: see `null`."""
        return None

    def of(self, view: View) -> Scores:
        """Scores of a view."""
        return self.score(*(view.ask(request) for request in self.asks()))

    def on(self, activations: NDArray[np.floating[Any]], masks: NDArray[np.bool_]) -> Scores:
        """Scores [U, C] of plain arrays: activations [S, U] (rounded to half precision), masks [S, C].

        Raises MeasureError for NaN among the activations, and for unequal numbers of sites.
        """
        from unitscope.arrays import halves_scale, to_keys

        values = np.asarray(activations, np.float32).T
        if np.isnan(values).any():
            raise MeasureError("Got NaN among the activations.", expected="numbers", fix="Leave those sites out.")
        scale = halves_scale(np.abs(np.where(np.isfinite(values), values, 0.0)).max(axis=1, initial=0.0))
        keys = to_keys((values / scale[:, None]).astype(np.float16))
        return self.of(View(keys, Columns.from_masks(np.asarray(masks, np.bool_)), scale))
