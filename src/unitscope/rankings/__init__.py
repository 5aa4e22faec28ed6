"""Rankings of units: orderings with their origin, how they are made, and how far they agree."""

from __future__ import annotations

import importlib
from typing import Any

_HOMES = {
    "align": "alignment",
    "cluster": "clusters",
    "cross_model": "correlation",
    "factorise": "factors",
    "halves_of": "correlation",
    "predicted": "regression",
    "redundancy": "clusters",
    "shared": "subspaces",
    "similarities": "similarity",
    "svcca": "subspaces",
}

__all__ = [
    "align",
    "cluster",
    "cross_model",
    "factorise",
    "halves_of",
    "predicted",
    "redundancy",
    "shared",
    "similarities",
    "svcca",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'unitscope.rankings' has no attribute '{name}'")
    return getattr(importlib.import_module(f"unitscope.rankings.{_HOMES[name]}"), name)
