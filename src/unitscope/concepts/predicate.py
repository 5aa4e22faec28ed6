"""Concepts from a Python function: whatever can be computed of an item's words."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from unitscope.concepts.base import Annotation
from unitscope.errors import ConceptError, closest
from unitscope.sites import Item

YES = "yes"
"""Name of the concept where the function returns booleans."""
_FORM = "a boolean, a name, names, or None for each site"


@dataclass(frozen=True)
class PredicateSource:
    """What the function at `target` (`pkg.module:function`) returns for `function(item, grid)`.

    That is one entry a site: a boolean (the concept is then called `yes`), a name, a sequence of names, or None where
    it is not known. The category is `predicate.` and the function's name. Raises ConceptError when the function cannot
    be imported, fails, or returns something else.
    """

    target: str
    min_sites: int = 20

    @property
    def category(self) -> str:
        """`predicate.` and the function's name."""
        return f"predicate.{self.target.rpartition(':')[2]}"

    @cached_property
    def function(self) -> Callable[[Item, str], Sequence[Any]]:
        """The function, imported on first use."""
        module_name, _, name = self.target.partition(":")
        if not module_name or not name:
            raise ConceptError(f"Predicate '{self.target}'.", expected="pkg.module:function")
        try:
            module = importlib.import_module(module_name)
        except Exception as error:  # whatever the user's module raises on import
            raise ConceptError(
                f"Module '{module_name}' of predicate '{self.target}' cannot be imported: {error}.",
                fix="Its folder must be on PYTHONPATH.",
            ) from error
        function = getattr(module, name, None)
        if not callable(function):
            kind = "has no" if function is None else "holds, but not as a"
            raise ConceptError(f"Module '{module_name}' {kind} function '{name}'.", fix=closest(name, vars(module)))
        found: Callable[[Item, str], Sequence[Any]] = function
        return found

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The function's answer for each site of the grid."""
        function = self.function
        try:
            entries = list(function(item, grid))
        except Exception as error:  # the user's own function; named so that it can be mended
            raise ConceptError(
                f"Predicate '{self.target}' failed on item '{item.id}': {type(error).__name__}: {error}."
            ) from error
        n_sites = item.grids[grid].n_sites
        if len(entries) != n_sites:
            raise ConceptError(
                f"Predicate '{self.target}' returned {len(entries)} entries for item '{item.id}'.",
                expected=f"one for each of its {n_sites} sites",
            )
        return [self._names(entry, item) for entry in entries]

    def _names(self, entry: Any, item: Item) -> tuple[str, ...] | None:
        if entry is None:
            return None
        if isinstance(entry, (bool, np.bool_)):
            return (YES,) if entry else ()
        if isinstance(entry, str):
            return (entry,)
        names = tuple(entry) if isinstance(entry, (tuple, list, set, frozenset)) else (entry,)
        if not all(isinstance(name, str) for name in names):
            raise ConceptError(f"Predicate '{self.target}' returned {entry!r} in item '{item.id}'.", expected=_FORM)
        return tuple(sorted(names)) if isinstance(entry, (set, frozenset)) else names
