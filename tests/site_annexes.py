"""Made-up results beside an atlas, for pages: rankings, a probe and comparisons, with names as hostile as one likes.

Not a test. Columns are those that the reference names.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unitscope.annex import write_annex
from unitscope.atlas import Atlas

MODES = ("mask", "retrain")
STATUSES = ("kept", "turned", "moved", "undecided", "lost", "gained", "none", "unshared")


def write(atlas: Atlas, targets: Sequence[str], seed: int = 0) -> None:
    """All kinds of results beside an atlas."""
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(len(targets), len(_units(atlas))))
    rankings(atlas, "auroc", targets, base)
    rankings(atlas, "probeless", targets, base + rng.normal(0, 1, base.shape))
    rankings(atlas, "variance", ["all"], base[:1])
    probe(atlas, "upos", targets, rng)
    comparison(atlas, "vs-other", targets, rng, "address")
    comparison(atlas, "by-profile", targets, rng, "profile")


def _units(atlas: Atlas) -> list[tuple[str, int]]:
    return [(each["address"], unit) for each in atlas.manifest["study"]["layers"] for unit in range(each["width"])]


def rankings(atlas: Atlas, name: str, targets: Sequence[str], scores: np.ndarray) -> None:
    """Units by falling score for each target."""
    units = _units(atlas)
    columns: dict[str, list] = {each: [] for each in ("target", "rank", "layer", "unit", "score")}
    for target, values in zip(targets, scores, strict=True):
        for rank, at in enumerate(np.argsort(-values).tolist(), 1):
            row = (target, rank, *units[at], float(values[at]))
            for column, value in zip(columns.values(), row, strict=True):
                column.append(value)
    table = {key: np.array(value, object if key in ("target", "layer") else None) for key, value in columns.items()}
    about = {"method": name, "parameters": {"standardise": True}, "seed": 3, "targets": list(targets)}
    write_annex(atlas, "rankings", name, {"units": table}, about)


def probe(atlas: Atlas, name: str, targets: Sequence[str], rng: np.random.Generator) -> None:
    """A probe with all its tables."""
    n = len(_units(atlas))
    rows = [
        ("linear", "trained", 0.93), ("linear", "untrained", 0.85), ("form", "text", 0.88), ("majority", "none", 0.17),
        ("control", "trained", 0.61), ("selectivity", "trained", 0.32), ("above form", "trained", 0.05),
    ]  # fmt: skip
    scores = {
        "probe": np.array([row[0] for row in rows], object),
        "variant": np.array([row[1] for row in rows], object),
        "metric": np.full(len(rows), "accuracy", object),
        "value": np.array([row[2] for row in rows]),
        "low": np.array([row[2] - 0.02 for row in rows]),
        "high": np.array([row[2] + 0.015 for row in rows]),
        "n_sites": np.full(len(rows), 12_034),
        "n_blocks": np.full(len(rows), 180),
    }
    points = [
        (selection, mode, share)
        for mode in MODES
        for share in (0.03, 0.06, 0.1, 0.2, 0.5)
        for selection in ("top", "random", "bottom")
    ]
    ease = {"top": 0.12, "random": 0.3, "bottom": 0.6}
    value = np.array(
        [0.93 - 0.7 * np.exp(-6 * share**0.5 / (1 + 6 * ease[who] * (mode == "mask"))) for who, mode, share in points]
    )
    curve = {
        "selection": np.array([each[0] for each in points], object),
        "mode": np.array([each[1] for each in points], object),
        "share": np.array([each[2] for each in points]),
        "n_units": np.array([max(1, round(each[2] * n)) for each in points]),
        "accuracy": value,
        "low": value - 0.02,
        "high": value + 0.02,
    }
    layers = [each["address"] for each in atlas.manifest["study"]["layers"]]
    parts = rng.dirichlet(np.ones(len(layers)), len(targets))
    where = {
        "class": np.repeat(np.array(targets, object), len(layers)),
        "layer": np.tile(np.array(layers, object), len(targets)),
        "count": np.round(40 * parts).astype(int).reshape(-1),
        "share": parts.reshape(-1),
    }
    recall = rng.uniform(0.5, 0.95, len(targets))
    classes = {
        "class": np.array(targets, object),
        "n_train": np.full(len(targets), 900),
        "n_held": np.full(len(targets), 412),
        "recall": recall,
        "low": recall - 0.04,
        "high": recall + 0.03,
        "precision": recall - 0.01,
        "untrained_recall": recall - 0.2,
        "form_recall": recall - 0.1,
        "n_units": np.full(len(targets), 40),
        "n_exclusive": np.full(len(targets), 12),
        "n_shared": np.full(len(targets), 28),
    }
    about = {
        "metric": "accuracy",
        "kind": "linear",
        "n_units": n,
        "parameters": {"concepts": "upos", "l1": 0.001, "l2": 0.001, "layers": layers, "seeds": 5},
        "smallest": {
            "n_units": max(1, n // 8),
            "of_units": n,
            "delta": 0.01,
            "value": 0.921,
            "low": 0.91,
            "high": 0.93,
        },
        "notes": [f"'{targets[-1]}' has few sites."],
        "seed": 0,
    }
    tables = {"scores": scores, "curve": curve, "layers": where, "classes": classes}
    write_annex(atlas, "probes", name, tables, about)


def comparison(atlas: Atlas, name: str, targets: Sequence[str], rng: np.random.Generator, match: str) -> None:
    """A comparison whose statuses go round."""
    units = _units(atlas)
    n = len(units)
    status = np.array([STATUSES[at % len(STATUSES)] for at in range(n)], object)
    first, other = (rng.integers(0, len(targets), n) for _ in range(2))
    names = np.array(targets, object)
    a = np.where(np.isin(status, ("gained", "none", "unshared")), None, names[first])
    b = np.where(np.isin(status, ("lost", "none", "unshared")), None, names[np.where(status == "kept", first, other)])
    effect = rng.uniform(0.6, 0.9, n)
    nan = np.full(n, np.nan)
    table = {
        "layer": np.array([layer for layer, _ in units], object),
        "unit": np.array([unit for _, unit in units], np.int32),
        "layer_b": np.array([layer for layer, _ in units[::-1] if match == "profile"] or [u[0] for u in units], object),
        "unit_b": np.array([unit for _, unit in units], np.int32),
        "status": status,
    }
    for side, concept in (("a", a), ("b", b)):
        there = np.array([each is not None for each in concept])
        table |= {
            f"concept_{side}": concept,
            f"sign_{side}": np.where(there, 1, 0).astype(np.int8),
            f"kind_{side}": np.where(there, "lexical", None),
            f"effect_{side}": np.where(there, effect, nan),
            f"low_{side}": np.where(there, effect - 0.03, nan),
            f"high_{side}": np.where(there, effect + 0.03, nan),
            f"within_form_position_{side}": nan,
        }
    gap = rng.uniform(-0.3, 0.3, n)
    kept = status == "kept"
    table |= {
        "b_on_concept_a": np.where(table["sign_a"] > 0, 0.5, nan),
        "a_on_concept_b": np.where(table["sign_b"] > 0, 0.52, nan),
        "compared": np.where(kept, a, None),
        "difference": np.where(kept, gap, nan),
        "difference_low": np.where(kept, gap - 0.05, nan),
        "difference_high": np.where(kept, gap + 0.05, nan),
        "p": np.where(kept, 0.01, nan),
        "q": np.where(kept, 0.03, nan),
        "change": np.where(kept, np.where(gap > 0, "stronger", "weaker"), None),
        "likeness": rng.uniform(0.2, 1, n),
        "mirrored": np.zeros(n, bool),
        "mutual": np.zeros(n, bool),
    }
    layers = [each["address"] for each in atlas.manifest["study"]["layers"]]
    here = [[status[at] for at, unit in enumerate(units) if unit[0] == layer] for layer in layers]
    by_layer = {
        "layer": np.array(layers, object),
        "layer_b": np.array([None if match == "profile" else layer for layer in layers], object),
        "units": np.array([len(each) for each in here]),
        **{each: np.array([found.count(each) for found in here]) for each in STATUSES},
        **{each: np.full(len(layers), 1) for each in ("kind_changed", "stronger", "weaker", "mutual")},
        **{each: np.full(len(layers), 0.3) for each in ("random_kept", "random_low", "random_high", "p")},
        **{each: np.full(len(layers), 0.4) for each in ("likeness", "random_likeness", "unseen", "random_unseen")},
    }
    concepts = {
        "concept": names,
        "category": np.full(len(targets), "upos", object),
        **{
            each: rng.integers(0, 20, len(targets))
            for each in ("units_a", "units_b", "kept", "turned", "left", "joined", "lost", "gained", "undecided")
        },
    }
    tables = {"units": table, "layers": by_layer, "concepts": concepts}
    if match == "profile":
        tables["partners"] = {
            "layer": np.repeat(np.array(layers, object), len(layers)),
            "layer_b": np.tile(np.array(layers, object), len(layers)),
            "units": rng.integers(0, 9, len(layers) ** 2),
        }
    side = {
        "atlas": "atlas", "key": "ab" * 32, "model": "made-up <b>model</b>", "corpus": "made-up", "seed": 0,
        "variant": "trained", "layers": layers,
    }  # fmt: skip
    counts = {each: int((status == each).sum()) for each in STATUSES}
    about = {
        "type": "comparison", "a": side, "b": {**side, "atlas": "other", "variant": "untrained"}, "match": match,
        "seed": 0, "draws": 200, "concepts": {"shared": len(targets), "only_a": 1, "only_b": 0, "too_rare": 2},
        "counts": {"units": n, **counts, "stronger": int((gap[kept] > 0).sum()), "weaker": int((gap[kept] <= 0).sum())},
        "chance": {"kept": counts["kept"] / n, "random": 0.02, "low": 0.01, "high": 0.03, "p": 0.005},
        "notes": ["Both are of the same corpus: intervals of differences are wider than need be.", targets[-1]],
    }  # fmt: skip
    write_annex(atlas, "comparisons", name, tables, about)
