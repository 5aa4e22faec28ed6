"""Methods of ranking by name: as they are written on the command line, with their parameters.

>>> parse_method("probeless:standardise=true").parameters
{'min_sites': 20, 'standardise': True}
>>> parse_method("auroc").measure
'auroc'
"""

from __future__ import annotations

from dataclasses import MISSING, fields, replace
from typing import Any

from unitscope.errors import RankingError, closest
from unitscope.rankings.across import LinReg, MaxCorr, MinCorr, Svcca
from unitscope.rankings.asked import Method
from unitscope.rankings.grouped import ClusterRepresentatives, FactorLoadings
from unitscope.rankings.measured import Effect, Measured
from unitscope.rankings.supervised import Probeless, Random, UnivariateF, Variance

_TRUTH = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


def methods() -> dict[str, type[Method]]:
    """Methods that have a name of their own; beside them every measure's key is one."""
    by_class: tuple[type[Method], ...] = (Probeless, UnivariateF, Variance, Random, Effect)
    by_others: tuple[type[Method], ...] = (MaxCorr, MinCorr, LinReg, Svcca, ClusterRepresentatives, FactorLoadings)
    kinds = (*by_class, *by_others)
    return {kind.name: kind for kind in kinds}


def method_names() -> list[str]:
    """Everything that units can be ranked by."""
    return [*methods(), *measure_keys()]


def measure_keys() -> list[str]:
    """Keys of measures that units can be ranked by: names, and `NAME_lower` for measures of one end."""
    from unitscope.measures import default_measures

    return [measure.key for measure in default_measures()]


def parse_method(spec: str, keys: tuple[str, ...] = ()) -> Method:
    """Read `name` or `name:parameter=value,...`; `keys` are further measures that are known.

    Raises RankingError for unknown names and parameters, and bad values.
    """
    name, _, rest = spec.partition(":")
    known = methods()
    measures = [*measure_keys(), *keys]
    if name not in known and name not in measures:
        everything = list(dict.fromkeys([*known, *measures]))
        raise RankingError(
            f"Unknown method '{name}'.", expected=f"one of {', '.join(everything)}", fix=closest(name, everything)
        )
    method = known[name]() if name in known else Measured(measure=name)
    defaults = {each.name: getattr(method, each.name) for each in fields(method) if each.default is not MISSING}
    if name not in known:
        del defaults["measure"]
    given: dict[str, Any] = {}
    for part in filter(None, rest.split(",")):
        key, _, value = part.partition("=")
        if key not in defaults:
            raise RankingError(
                f"Method '{name}' has no parameter '{key}'.",
                expected=f"one of {', '.join(defaults)}" if defaults else "no parameter",
                fix=closest(key, defaults),
            )
        given[key] = _read(name, key, value, defaults[key])
    return replace(method, **given)


def _read(name: str, key: str, text: str, default: object) -> Any:
    try:
        if isinstance(default, bool):
            return _TRUTH[text.lower()]
        return {int: int, float: float}.get(type(default), str)(text)
    except (KeyError, ValueError):
        kinds = {bool: "true or false", int: "a whole number", float: "a number"}
        raise RankingError(
            f"Got {key}={text} for method '{name}'.", expected=kinds.get(type(default), "a value")
        ) from None
