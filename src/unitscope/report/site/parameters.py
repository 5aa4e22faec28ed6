"""What was asked and found, of results beside an atlas, as names and values."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from unitscope.annex import Annex
from unitscope.report.site.ranking_view import parameters

LONGEST = 200


def parameter_rows(annex: Annex, hidden: Collection[str]) -> list[tuple[str, str]]:
    """Names and values of what a result's maker wrote; tables and long lists are not repeated, nor what is hidden."""
    about, found = annex.about, []
    for name, value in about.items():
        if name in hidden or value in (None, "", []) or isinstance(value, Mapping):
            continue
        text = " ".join(map(str, value)) if isinstance(value, list) else _number(value)
        if len(text) <= LONGEST:
            found.append((name.replace("_", " "), text))
    inner = about.get("parameters")
    if isinstance(inner, Mapping):
        found += [(name.replace("_", " "), parameters({"": value}).strip()) for name, value in inner.items() if value]
    return [*found, ("atlas (key)", annex.parent)]


def _number(value: object) -> str:
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.6g}"
    return str(value)
