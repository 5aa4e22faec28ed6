"""Made-up effects, attributions and steering beside an atlas, for pages; words and names as hostile as one likes.

Not a test. Columns are those that the reference names.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from unitscope.annex import write_annex
from unitscope.atlas import Atlas

Rows = list[dict]
MARKUP = "</script><img src=x onerror=alert(1)>"
QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


def write(atlas: Atlas, targets: Sequence[str], seed: int = 0) -> None:
    """Two ablations, an attribution and a steering."""
    rng = np.random.default_rng(seed)
    units = [(each["address"], unit) for each in atlas.manifest["study"]["layers"] for unit in range(each["width"])]
    ablation(atlas, "loss-all", targets, units, rng)
    bare(atlas, "accuracy-bare", units, rng)
    attribution(atlas, "output-0", units, rng)
    steering(atlas, "tense", rng)


def columns(rows: Rows) -> dict[str, np.ndarray]:
    """Columns of rows; text as objects."""
    found = {name: [row[name] for row in rows] for name in rows[0]}
    return {
        name: np.array(each, object) if isinstance(each[0], str) else np.array(each) for name, each in found.items()
    }


def effect(value: float, reach: float = 0.01, name: str = "", p: bool = True) -> dict[str, float]:
    """An effect with its interval."""
    prefix = f"{name}_" if name else ""
    found = {name or "effect": value, f"{prefix}low": value - reach, f"{prefix}high": value + reach}
    return found | ({f"{prefix}p": 0.2 if abs(value) < reach else 0.001} if p else {})


def curve(unedited: float) -> Rows:
    """Points for units taken out, and for units kept."""
    rows: Rows = []
    steep = {"top": 0.02, "bottom": 0.004, "random": 0.009}
    for prefix, sign in (("", 1.0), ("keep ", 6.0)):
        for n in (1, 5, 20):
            for name in ("top", "bottom", "random"):
                for draw in range(1, 4) if name == "random" else (0,):
                    value = sign * steep[name] * n**0.7 + 0.001 * draw
                    row = {"selection": prefix + name, "n_units": n, "draw": draw, "value": unedited + value}
                    rows.append(row | effect(value))
            mean = sign * steep["random"] * n**0.7
            row = {"selection": f"{prefix}random mean", "n_units": n, "draw": 0, "value": unedited + mean}
            rows.append(row | effect(mean))
            row = {"selection": f"{prefix}beyond", "n_units": n, "draw": 0, "value": float("nan")}
            rows.append(row | effect(sign * (steep["top"] - steep["random"]) * n**0.7))
    return rows


def ablation(
    atlas: Atlas, name: str, targets: Sequence[str], units: Sequence[tuple[str, int]], rng: np.random.Generator
) -> None:
    """An ablation with all its tables; verdicts of matches go round."""
    single = [
        {"layer": layer, "unit": unit, **effect(float(rng.normal(0, 0.03))), "q": float(rng.uniform(0, 0.2))}
        for layer, unit in units
    ]
    single.sort(key=lambda row: -abs(row["effect"]))
    chosen = units[:: max(len(units) // 8, 1)]
    outcomes = ((0.05, 0.01), (0.004, 0.003), (-0.03, 0.001), (0.002, 0.06))
    matches, causes = [], []
    for at, (layer, unit) in enumerate(chosen):
        inside, outside = outcomes[at % 4]
        concept = targets[at % len(targets)]
        row = {"layer": layer, "unit": unit, "concept": concept, **effect(inside, 0.005, "inside")}
        row |= effect(outside, 0.002, "outside") | effect(inside - outside, 0.006, "difference")
        matches.append(row | {"n_inside": 120, "n_outside": 2300})
        causes.append(
            {
                "layer": layer, "unit": unit, "concept": concept, "reads": 0.91, "within": 0.7,
                "writes": f"was {MARKUP.replace(' ', '')} \u202eworht", **effect(0.2, 0.05, "written"),
                **effect(inside, 0.005, "inside", p=False), "outside": outside,
                **effect(inside - outside, 0.006, "difference", p=False), "q": 0.01,
                "verdict": ("specific", "no difference", "no cost", "elsewhere")[at % 4],
                "contradiction": "" if at % 4 == 0 else f"reads {concept}, but nothing is lost there without it",
            }
        )  # fmt: skip
    doses = [
        {
            "layer": layer, "unit": unit, "quantile": q, "setting": float(-0.2 + 2.4 * q**3),
            "value": 2.31 + (q - 0.4) ** 2 * 0.2 * (1 + at), **effect((q - 0.4) ** 2 * 0.2 * (1 + at), 0.008),
        }
        for at, (layer, unit) in enumerate(chosen[:3])
        for q in QUANTILES
    ]  # fmt: skip
    doses.append({**doses[0], "quantile": float("nan"), "setting": 0.0})
    trends = [
        {"layer": layer, "unit": unit, "concept": targets[0], "n_settings": 7, "monotone": 0.4, "monotone_p": 0.03,
         **effect(0.002, 0.001, "slope")}
        for layer, unit in chosen[:3]
    ]  # fmt: skip
    classes = [
        {"layer": layer, "unit": unit, "class": target, **effect(float(rng.normal(0, 0.03))), "q": float(rng.uniform())}
        for layer, unit in chosen
        for target in targets
    ]
    pairs = [
        {
            "layer": a[0], "unit": a[1], "other_layer": b[0], "other_unit": b[1], **effect(0.06), "expected": 0.04,
            **effect(0.02, 0.01, "beyond"), "q": 0.02,
        }
        for a, b in pairwise(chosen)
    ]  # fmt: skip
    greedy = [
        {
            "step": step, "layer": layer, "unit": unit, "chosen_effect": 0.02 * step, "value": 2.31 + 0.015 * step,
            **effect(0.015 * step), "random": 0.004 * step, **effect(0.011 * step, 0.01, "beyond"),
        }
        for step, (layer, unit) in enumerate(chosen[:4], 1)
    ]  # fmt: skip
    tables = {
        "curve": curve(2.31), "units": single, "matches": matches, "causes": causes, "doses": doses, "trends": trends,
        "classes": classes, "pairs": pairs, "greedy": greedy,
    }  # fmt: skip
    about = {
        "task": "lm", "ranking": "probeless", "target": targets[0], "edit": "zero", "units": [1, 5, 20],
        "metric": "loss",
        "rising": False, "unedited": 2.31, "chance": None, "n_items": 180, "n_numbers": 4100, "n_blocks": 40,
        "left_out": 0, "n_ranked": len(units), "seed": 0,
    }  # fmt: skip
    write_annex(atlas, "effects", name, {table: columns(rows) for table, rows in tables.items()}, about)


def bare(atlas: Atlas, name: str, units: Sequence[tuple[str, int]], rng: np.random.Generator) -> None:
    """Single units and nothing else, on too few documents for intervals."""
    nan = float("nan")
    rows = [
        {
            "layer": layer,
            "unit": unit,
            "effect": float(rng.normal(0, 0.01)),
            "low": nan,
            "high": nan,
            "p": nan,
            "q": nan,
        }
        for layer, unit in units[:10]
    ]
    about = {"task": f"label:{MARKUP}", "metric": "accuracy", "rising": True, "unedited": 0.81, "edit": "mean"}
    write_annex(atlas, "effects", name, {"units": columns(rows)}, about)


def attribution(atlas: Atlas, name: str, units: Sequence[tuple[str, int]], rng: np.random.Generator) -> None:
    """An attribution to all units with maps of two items."""
    layers = list(dict.fromkeys(layer for layer, _ in units))
    rows = []
    for layer, unit in units:
        value = float(rng.normal(0, 0.2))
        ends = {"mean": value, "low": value - 0.05, "high": value + 0.05}
        rows.append({"layer": layer, "unit": unit, **ends, "size": abs(value) + 0.01})
    texts = {"doc-1": ("she", MARKUP, "\u202eworht", "the", "old", "dog", "שלום", "."), "<b>doc</b>": ("they", "saw")}
    items = [
        {"item": item, "layer": layer, "output": 1.2, "explained": 1.5, "gap": 0.04}
        for item in texts
        for layer in layers
    ]
    sites = [
        {"item": item, "layer": layer, "site": at, "word": word, "value": float(rng.normal(0, 0.3))}
        for item, words in texts.items()
        for layer in layers
        for at, word in enumerate(words)
    ]
    judged = [
        {
            "layer": layer, "n_units": 12, "correlation": 0.62, "low": 0.3, "high": 0.8, "comprehensiveness": 0.4,
            "comprehensiveness_random": 0.1, "sufficiency": 0.2, "sufficiency_random": 0.6,
        }
        for layer in layers
    ]  # fmt: skip
    tables = {"units": rows, "items": items, "sites": sites, "judged": judged}
    about = {"target": f"output:0 {MARKUP}", "method": "conductance", "steps": 20, "n_items": 2, "layers": layers}
    write_annex(atlas, "attributions", name, {table: columns(each) for table, each in tables.items()}, about)


def steering(atlas: Atlas, name: str, rng: np.random.Generator) -> None:
    """A steering beside random sets, with examples."""
    strengths = [
        {
            "selection": name, "n_units": n, "strength": strength,
            "success": min(0.1 + gain * strength * n / 10, 0.9), "collateral": 0.02 * strength * n / 5,
            "chosen": name == "steered" and n == 10 and strength == 2.0,
        }
        for name, n, gain in (("steered", 5, 0.2), ("steered", 10, 0.2), ("random", 10, 0.02))
        for strength in (0.5, 1.0, 2.0, 4.0)
    ]  # fmt: skip
    strengths.insert(0, {**strengths[0], "selection": "none", "n_units": 0, "strength": 0.0, "success": 0.08})
    nan = float("nan")
    sets = [
        {
            "selection": name, "draw": draw, "n_units": 10 * (name != "none"), "strength": 2.0, "success": success,
            **effect(success - 0.08 * (name != "beyond"), 0.05),
            **effect(0.08 + 0.01 * draw, 0.02, "collateral", p=False), "changed": 0.5 if name != "beyond" else nan,
        }
        for name, draw, success in (
            ("none", 0, 0.08), ("steered", 0, 0.62), ("random", 1, 0.12), ("random", 2, 0.09),
            ("random mean", 0, 0.105), ("beyond", 0, 0.515),
        )
    ]  # fmt: skip
    texts = (
        ("a", "she sees the dog .", "she saw the dog .", True),
        (MARKUP, f"they {MARKUP} run", "they ran \u202eworht", True),
        ("c", "nothing changes", "nothing changes", False),
    )
    examples = [
        {"item": item, "before": before, "after": after, "success": float(success), "original": f"{before} …"}
        for item, before, after, success in texts
    ]
    tables = {"strengths": strengths, "sets": sets, "examples": examples}
    about = {"property": f"words:was,{MARKUP}", "metric": "success rate", "collateral": "loss", "rising": True}
    write_annex(atlas, "steering", name, {table: columns(each) for table, each in tables.items()}, about)
