"""Errors a user can mend: what was got, what was expected, how to mend it.

Every error raised on purpose is a `UnitscopeError`; the command line prints it without a traceback and exits 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UnitscopeError(Exception):
    """Root of all errors raised on purpose.

    >>> str(UnitscopeError("Got 3 columns.", expected="10 columns", fix="Check the file's format."))
    "Got 3 columns. Expected: 10 columns. Check the file's format."
    """

    def __init__(self, got: str, *, expected: str = "", fix: str = "") -> None:
        self.got, self.expected, self.fix = got, expected, fix
        parts = [got, f"Expected: {expected}." if expected else "", fix]
        super().__init__(" ".join(part for part in parts if part))


class CorpusError(UnitscopeError):
    """A corpus cannot be read: a broken line, bad bytes, no items."""


class ConceptError(UnitscopeError):
    """A concept source is unknown, malformed, or matches no site."""


class ModelError(UnitscopeError):
    """A model cannot be loaded or run: missing files, remote code, pickled weights."""


class UnknownLayerError(ModelError):
    """A layer pattern matches nothing in the model."""


class BasisError(UnitscopeError):
    """A basis cannot be read, does not fit its layer, or its file holds something else."""


class MeasureError(UnitscopeError):
    """A measure is unknown or its parameters make no sense."""


class RankingError(UnitscopeError):
    """A ranking cannot be made, has other units or another atlas, or its method is unknown."""


class ProbeError(UnitscopeError):
    """A probe cannot be fitted or asked: one class only, values that are no numbers, sites that do not fit."""


class EditError(UnitscopeError):
    """An edit fits no layer or no item: a unit out of range, a mask of another grid, a module never called."""


class PlanError(UnitscopeError):
    """A run cannot be planned within its budgets, or not enough data is there for halves."""


class StoreError(UnitscopeError):
    """A file of ours is missing, corrupted, of another version or run, or cannot be written."""


class AttributionError(UnitscopeError):
    """An attribution makes no sense: a target that is no scalar or does not depend on a layer, a unit out of range."""


class TaskError(UnitscopeError):
    """A task cannot be measured: no items for it, no label column, an output it cannot read, nothing to take out."""


def closest(name: str, known: Iterable[str], n: int = 3) -> str:
    """Near misses of `name` as a sentence, or an empty string.

    >>> closest("feature.10", ["features.10", "classifier.1"])
    "Closest: 'features.10'."
    """
    matches = difflib.get_close_matches(name, list(known), n=n, cutoff=0.5)
    return f"Closest: {', '.join(repr(match) for match in matches)}." if matches else ""
