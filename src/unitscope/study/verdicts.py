"""From tested pairs to verdicts: q-values over all tested units, kinds, reported matches, counts by layer.

All that depends on units of other layers happens here, and it is a function of tables that an atlas keeps: `tests`
(every tested pair) and `units`. So atlases of different layers can be merged into just what one run would have given.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.atlas import CHECKSUMS, MANIFEST, write_table
from unitscope.measures.base import Measure
from unitscope.models.base import Layer
from unitscope.sites import kind_of
from unitscope.stats.discoveries import adjust
from unitscope.stats.passport import PARTS
from unitscope.store import sha256_of, write_json
from unitscope.study.kinds import LEVEL, bars
from unitscope.study.kinds import kinds as kinds_found
from unitscope.study.plan import Study
from unitscope.study.unitpass import N_REPORTED, STATUS

Table = dict[str, Any]
VERDICTS = ("concept", "score", "kind", "context", "n_matches")
"""Columns of the units table that depend on all tested units."""
_PAIR = ("layer", "unit", "slot", "concept", "sign")


@dataclass(frozen=True)
class Evidence:
    """What blocks of units say on their own: `units` without verdicts, and `tests`, a row a tested pair.

    Both in order of layers, then units, then slots. In `tests`, `slot` counts a unit's concepts from 1, best first on
    half A; `n` and `prevalence` are the concept's on half B; `auroc` and the effects are mirrored where `sign` is -1.
    """

    units: Table
    tests: Table


def find_matches(
    tests: Table, measures: Sequence[Measure], bar: Mapping[str, float], sites: Mapping[str, str] | None = None
) -> Table:
    """Reported matches: first concepts with q < .05, further ones where the first is rejected; a row a measure.

    `bar` has the untrained copy's 99th percentile of each layer, NaN where none was run; `sites` what the sites of each
    layer are (see `kinds`), text where it is not given.
    """
    q = discoveries(tests)
    chosen = np.flatnonzero(q < LEVEL)
    rows = {name: column[chosen] for name, column in tests.items()}
    limit = np.array([bar[layer] for layer in rows["layer"].tolist()], np.float64)
    grid = None if sites is None else np.array([sites[layer] for layer in rows["layer"].tolist()], object)
    form, place = rows["within_form"], rows["within_form_position"]
    form_p, place_p = rows["within_form_p"], rows["within_form_position_p"]
    known = {
        "n": rows["n"],
        "prevalence": rows["prevalence"],
        "kind": kinds_found(rows["concept"], form, form_p, place, place_p, limit, grid),
        "within_form": form,
        "within_form_p": form_p,
        "within_form_q": adjust(form_p),
        "within_form_position": place,
        "within_form_position_p": place_p,
        "within_form_position_q": adjust(place_p),
        "untrained_p99": limit,
        "a_auroc": rows["a_auroc"],
    }
    blank = np.full(len(chosen), np.nan)
    scores = {name: rows[name] for name in ("low", "high", "p")} | {"score": rows["auroc"], "q": q[chosen]}
    parts = [_rows("auroc", rows, scores | {"chance": blank + 0.5, "ceiling": blank}, known)]
    at = [np.arange(len(chosen))]
    for measure in measures:
        if measure.name != "auroc":
            use = np.flatnonzero((rows["slot"] == 1) & _looks(measure, rows["sign"]))
            whole = _rows(
                measure.key, rows, _scored(measure, rows) | dict.fromkeys(("low", "high", "p", "q"), blank), known
            )
            parts.append({name: column[use] for name, column in whole.items()})
            at.append(use)
    order = np.argsort(np.concatenate(at), kind="stable")
    return {name: np.concatenate([part[name] for part in parts])[order] for name in parts[0]}


def discoveries(tests: Table) -> NDArray[np.float64]:
    """q-values of tested pairs: over units' first concepts, then over further ones of units whose first is rejected.

    NaN for pairs that were not tested or not opened.
    """
    p, first = tests["p"], tests["slot"] == 1
    q = np.full(len(p), np.nan)
    q[first] = adjust(p[first])
    owner = np.cumsum(first) - 1
    opened = ~first & (q[first] < LEVEL)[owner] if len(p) else first
    q[opened] = adjust(p[opened])
    return q


def _looks(measure: Measure, sign: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Where a measure looks at the end of the scale at which the unit detects."""
    if measure.ends == "both":
        return np.ones(len(sign), np.bool_)
    return (sign > 0) if measure.ends == "upper" else (sign <= 0)


def _scored(measure: Measure, rows: Table) -> Table:
    score = rows[f"score_{measure.key}"]
    if measure.ends == "both" and measure.bounds[0] < 0:
        score = score * rows["sign"]
    return {"score": score, "chance": rows[f"chance_{measure.key}"], "ceiling": rows[f"ceiling_{measure.key}"]}


def _rows(measure: str, rows: Table, scores: Table, known: Table) -> Table:
    return {
        **{name: rows[name] for name in _PAIR},
        "measure": np.full(len(rows["unit"]), measure, object),
        **{name: scores[name] for name in ("score", "low", "high", "chance", "ceiling", "p", "q")},
        **known,
    }


def with_verdicts(units: Table, matches: Table) -> Table:
    """The units table with each unit's first reported concept, its AUROC, and the number of its matches.

    A unit's kind is that of its first match; `context` names the concept of its strongest
    contextual match, first or not.
    """
    n_units = len(units["unit"])
    where = {key: i for i, key in enumerate(zip(units["layer"].tolist(), units["unit"].tolist(), strict=True))}
    concept, kind, context = (np.full(n_units, None, object) for _ in range(3))
    strongest = np.zeros(n_units)
    score, n_matches = np.full(n_units, np.nan), np.zeros(n_units, np.int32)
    columns = ("layer", "unit", "slot", "concept", "score", "kind", "within_form_position")
    auroc = matches["measure"] == "auroc"
    rows = zip(*(matches[name][auroc].tolist() for name in columns), strict=True)
    for layer, number, slot, each, value, which, effect in rows:
        unit = where[layer, number]
        n_matches[unit] += 1
        if slot == 1:
            concept[unit], score[unit], kind[unit] = each, value, which
        if which == "contextual" and effect > strongest[unit]:
            context[unit], strongest[unit] = each, effect
    return {**units, **dict(zip(VERDICTS, (concept, score, kind, context, n_matches), strict=True))}


def summarise(
    layers: Sequence[str],
    units: Table,
    tests: Table,
    smallest: float,
    kinds: Sequence[str] = ("contextual", "lexical", "positional"),
) -> dict[str, Any]:
    """Counts by layer for the manifest: status, tested, reported, kinds, median passport, and over all layers."""
    found: dict[str, Any] = {}
    index = {layer: i for i, layer in enumerate(layers)}
    of_unit, of_test = (np.array([index.get(at, -1) for at in table["layer"].tolist()]) for table in (units, tests))
    for i, layer in enumerate(layers):
        here, tested = of_unit == i, of_test == i
        first = tested & (tests["slot"] == 1)
        kind = units["kind"][here]
        effect = tests["within_form_position"][tested]
        effect = np.fmax.reduceat(effect, np.flatnonzero(first[tested])) if first.any() else effect
        effect = effect[~np.isnan(effect)]
        passport = np.stack([units[f"share_{part}"][here] for part in PARTS], axis=1)
        passport = passport[~np.isnan(passport).any(axis=1)]
        medians = np.median(passport, axis=0).round(4).tolist() if len(passport) else None
        found[layer] = {
            "units": int(here.sum()),
            **{name: int((units["status"][here] == name).sum()) for name in STATUS},
            "tested": int(first.sum()),
            "reported": int(sum(value is not None for value in kind)),
            **{name: int((kind == name).sum()) for name in kinds},
            "with_context": int(sum(value is not None for value in units["context"][here])),
            "within_form_position_p99": round(float(np.quantile(effect, 0.99)), 6) if len(effect) else None,
            "median_shares": None if medians is None else dict(zip(PARTS, medians, strict=True)),
        }
    n_tested = sum(counts["tested"] for counts in found.values())
    found["all"] = {"tested": n_tested, "smallest_q": smallest, "reported_slots": N_REPORTED}
    return found


def sites_of(layer: Layer) -> str:
    """What a layer's sites are: `text`, `image`, `item`, or `image item` where whole images are pooled or scored."""
    kind = kind_of(layer.grid)
    return "image item" if kind == "item" and kind_of(layer.pooled_from) == "image" else kind


def kinds_of(sites: Mapping[str, str]) -> tuple[str, ...]:
    """Kinds that matches of these layers can have: where there are images, `appearance` too."""
    images = any(each.startswith("image") for each in sites.values())
    texts = any(not each.startswith("image") for each in sites.values())
    return ("contextual", *(["lexical"] if texts else []), *(["appearance"] if images else []), "positional")


def conclude(
    study: Study, measures: Sequence[Measure], evidence: Mapping[str, Evidence], smallest: float, folder: Path
) -> dict[str, Any]:
    """Write units, tests and matches of all variants. Returns the manifest's summary by variant."""
    layers = [layer.address for layer in study.layers]
    bar = dict.fromkeys(layers, np.nan)
    sites = {layer.address: sites_of(layer) for layer in study.layers}
    if "untrained" in evidence:
        tests = evidence["untrained"].tests
        first = tests["slot"] == 1
        index = {layer: i for i, layer in enumerate(layers)}
        number = np.array([index[layer] for layer in tests["layer"][first].tolist()], np.int32)
        # A unit's strongest effect over its tested concepts, reported or not: at least as many chances as the
        # trained model's units get.
        effect: NDArray[np.float64] = tests["within_form_position"]
        strongest = np.fmax.reduceat(effect, np.flatnonzero(first)) if first.any() else effect
        bar = dict(zip(layers, bars(number, strongest, len(layers)).tolist(), strict=True))
    summary = {}
    for variant, found in evidence.items():
        matches = find_matches(found.tests, measures, bar, sites)
        units = with_verdicts(found.units, matches)
        summary[variant] = summarise(layers, units, found.tests, smallest, kinds_of(sites))
        for name, table in (("units", units), ("tests", found.tests), ("matches", matches)):
            write_table(folder / f"{table_name(variant, name)}.parquet", table)
    return summary


def table_name(variant: str, name: str) -> str:
    """Name of a variant's table in the atlas.

    >>> table_name("trained", "units"), table_name("rotation", "units")
    ('units', 'baselines/rotation.units')
    """
    return name if variant == "trained" else f"baselines/{variant}.{name}"


def write_manifest(
    study: Study,
    measures: Sequence[Measure],
    grids: Mapping[str, Any],
    summary: Mapping[str, Any],
    notes: Mapping[str, Any],
    folder: Path,
) -> None:
    """Write the manifest, then the checksums of all files in the folder."""
    manifest = {
        "study": study.to_json(),
        "key": study.key,
        "measures": {m.key: {"name": m.name, "parameters": m.parameters, "ends": m.ends} for m in measures},
        "grids": dict(grids),
        "summary": dict(summary),
        "notes": dict(notes),
    }
    write_json(folder / MANIFEST, manifest)
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CHECKSUMS)
    write_json(folder / CHECKSUMS, {str(path.relative_to(folder).as_posix()): sha256_of(path) for path in files})
