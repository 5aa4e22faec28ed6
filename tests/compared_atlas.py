"""A made-up atlas whose units detect what one says: for comparisons, whose answer is then known. Not a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unitscope.atlas import Atlas, write_table
from unitscope.measures import parse_measures
from unitscope.models.base import Layer
from unitscope.store import write_arrays
from unitscope.study.plan import Study
from unitscope.study.verdicts import Evidence, conclude, write_manifest

CONCEPTS = ("upos:NOUN", "upos:VERB", "upos:DET", "deprel:nsubj", "words:the", "words:old")
PARTS = ("form", "position", "length", "context", "document", "rest")


Told = Any
"""A tested concept: `concept`, `effect`, `sign`, `half` the width of its interval, `reported`, `contextual`."""
Units = Sequence[Sequence[Told]]


def write(
    folder: Path,
    layers: Mapping[str, Units],
    *,
    concepts: Sequence[str] = CONCEPTS,
    rare: Sequence[str] = (),
    scores: Mapping[str, np.ndarray] | None = None,
    untrained: Mapping[str, Units] | None = None,
    weights: str = "aa",
    corpus: str = "made-up",
    grid: str = "source",
    seed: int = 0,
) -> Atlas:
    """Write an atlas of units of each layer, each with up to two tested concepts, and open it.

    Scores over all sites are .5 but where a concept is tested, unless given as [U, C].
    """
    described = tuple(
        Layer(address=layer, width=len(units), grid=grid, role="feed-forward neurons", order=order)
        for order, (layer, units) in enumerate(layers.items())
    )
    study = Study(
        model="made-up",
        corpus=corpus,
        layers=described,
        concepts=("upos",),
        measures=("auroc",),
        baselines=("untrained",) if untrained else (),
        weight_hash=weights * 32,
        corpus_hash=corpus,
        versions={},
        seed=seed,
    )
    evidence = {"trained": _evidence(layers)}
    if untrained:
        evidence["untrained"] = _evidence(untrained)
    parsed = parse_measures(study.measures)
    summary = conclude(study, parsed, evidence, 1e-5, folder)
    n = len(concepts)
    write_table(
        folder / "concepts.parquet",
        {
            "concept": np.array(concepts, object),
            "category": np.array([each.partition(":")[0] for each in concepts], object),
            "grid": np.full(n, grid, object),
            "n": np.full(n, 100),
            "eligible": np.array([each not in rare for each in concepts]),
        },
    )
    arrays = {
        layer: np.asarray((scores or {}).get(layer, _scores(units, concepts)), np.float32)
        for layer, units in layers.items()
    }
    write_arrays(folder / "scores" / "auroc.safetensors", arrays, {})
    for table in ("clips", "items"):
        write_table(folder / f"{table}.parquet", {"item": np.zeros(0, np.int32)})
    write_manifest(study, parsed, {grid: {}}, summary, {}, folder)
    return Atlas.open(folder)


def _scores(units: Units, concepts: Sequence[str]) -> np.ndarray:
    found = np.full((len(units), len(concepts)), 0.5)
    for row, unit in zip(found, units, strict=True):
        for told in unit:
            if told.concept in concepts:
                row[list(concepts).index(told.concept)] = told.effect if told.sign > 0 else 1 - told.effect
    return found


def _evidence(layers: Mapping[str, Units]) -> Evidence:
    keys = [(layer, at) for layer, units in layers.items() for at in range(len(units))]
    rows = [
        (layer, at, slot, told)
        for layer, units in layers.items()
        for at, unit in enumerate(units)
        for slot, told in enumerate(unit, 1)
    ]
    n = len(keys)
    units = {
        "layer": np.array([layer for layer, _ in keys], object),
        "unit": np.array([at for _, at in keys], np.int32),
        "status": np.full(n, "live", object),
        "tested": np.full(n, None, object),
        **{f"share_{part}": np.full(n, 1 / len(PARTS)) for part in PARTS},
    }
    told = [row[3] for row in rows]
    effect = np.array([each.effect for each in told])
    half = np.array([np.nan if each.half is None else each.half for each in told], float)
    p = np.array([1e-6 if each.reported else 0.9 for each in told])
    place = np.array([0.9 if each.contextual else 0.5 for each in told])
    place_p = np.array([1e-6 if each.contextual else 0.9 for each in told])
    tests = {
        "layer": np.array([row[0] for row in rows], object),
        "unit": np.array([row[1] for row in rows], np.int32),
        "slot": np.array([row[2] for row in rows], np.int32),
        "concept": np.array([each.concept for each in told], object),
        "sign": np.array([each.sign for each in told], np.int8),
        "n": np.full(len(rows), 120),
        "prevalence": np.full(len(rows), 0.05),
        "a_auroc": effect,
        "auroc": effect,
        "low": effect - half,
        "high": np.minimum(effect + half, 1),
        "p": p,
        "within_form": place,
        "within_form_p": place_p,
        "within_form_position": place,
        "within_form_position_p": place_p,
    }
    return Evidence(units, tests)
