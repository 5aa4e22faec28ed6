"""Measures by name: those of this package, one a file, and those that others register as entry points.

>>> sorted(measures())
['auroc', 'average_precision', 'correlation', 'iou', 'mean_gap', 'mutual_information', 'selectivity']
>>> parse_measure("iou:quantile=0.995").quantile
0.995
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from dataclasses import fields
from importlib.metadata import entry_points

from unitscope.errors import MeasureError, closest
from unitscope.measures.base import Measure

__all__ = ["Measure", "default_measures", "measures", "parse_measure", "parse_measures"]


def measures() -> dict[str, type[Measure]]:
    """All measures by name: every `Measure` in this package's files, then registered ones."""
    found: dict[str, type[Measure]] = {}
    for info in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, Measure) and "name" in vars(value):
                found[value.name] = value
    for entry in entry_points(group="unitscope.measures"):
        found.setdefault(entry.name, entry.load())
    return found


def default_measures() -> list[Measure]:
    """Every measure with its default parameters; measures of one tail with both."""
    chosen: list[Measure] = []
    for _, kind in sorted(measures().items()):
        chosen.append(kind())
        if "tail" in {field.name for field in fields(kind)}:
            chosen.append(kind(tail="lower"))  # type: ignore[call-arg]
    return chosen


def parse_measure(spec: str) -> Measure:
    """Read `name` or `name:parameter=value,...`. Raises MeasureError for unknown names, parameters and bad values."""
    name, _, rest = spec.partition(":")
    known = measures()
    if name not in known:
        raise MeasureError(
            f"Unknown measure '{name}'.", expected=f"one of {', '.join(sorted(known))}", fix=closest(name, known)
        )
    kind = known[name]
    parameters: dict[str, float | int | str] = {}
    defaults: dict[str, object] = {field.name: field.default for field in fields(kind)}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if key not in defaults:
            raise MeasureError(
                f"Measure '{name}' has no parameter '{key}'.", expected=f"one of {', '.join(defaults) or 'none'}"
            )
        try:
            parameters[key] = _read(value, defaults[key])
        except ValueError as error:
            raise MeasureError(
                f"Got '{value}' for parameter '{key}' of measure '{name}'.", expected=str(error)
            ) from error
    _check(name, parameters)
    return kind(**parameters)


def parse_measures(specs: Sequence[str]) -> list[Measure]:
    """Read several; `all` stands for `default_measures()`; auroc is always among them, since matching rests on it."""
    chosen: list[Measure] = []
    for spec in specs:
        chosen += default_measures() if spec == "all" else [parse_measure(spec)]
    if all(measure.name != "auroc" for measure in chosen):
        chosen.append(parse_measure("auroc"))
    unique = {measure.key: measure for measure in chosen}
    if len(unique) < len(set(chosen)):
        raise MeasureError(
            "Got one measure twice with different parameters.", expected="each measure once for each tail"
        )
    return list(unique.values())


def _read(text: str, default: object) -> float | int | str:
    """Text as a value of the default's kind. Raises ValueError saying what was expected."""
    if isinstance(default, bool):
        values = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if text.lower() not in values:
            raise ValueError("true or false")
        return values[text.lower()]
    for kind, what in ((int, "a whole number"), (float, "a number")):
        if isinstance(default, kind):
            try:
                return kind(text)
            except ValueError:
                raise ValueError(what) from None
    return text


def _check(name: str, parameters: dict[str, float | int | str]) -> None:
    quantile, n_bins, tail = parameters.get("quantile"), parameters.get("n_bins"), parameters.get("tail")
    if quantile is not None and not 0 < float(quantile) < 1:
        raise MeasureError(f"Got quantile={quantile} for measure '{name}'.", expected="a number between 0 and 1")
    if n_bins is not None and int(n_bins) < 2:
        raise MeasureError(f"Got n_bins={n_bins} for measure '{name}'.", expected="2 or more")
    if tail is not None and tail not in {"upper", "lower"}:
        raise MeasureError(f"Got tail={tail} for measure '{name}'.", expected="upper or lower")
