"""A made-up atlas of any size: every table that pages can show, with text as hostile as one likes."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow as pa

from unitscope.atlas import Atlas, list_column, write_arrow, write_table
from unitscope.measures import parse_measures
from unitscope.models.base import Layer
from unitscope.store import write_arrays
from unitscope.study.plan import Study
from unitscope.study.verdicts import Evidence, conclude, write_manifest

MEASURES = ("auroc", "average_precision", "iou", "correlation")
HOSTILE = (
    "<script>document.title='owned'</script>",
    "</script><img src=x onerror=alert(1)>",
    "\u202etxet desrever",
    "nul\x00nul",
    "pneumono" * 40,
    "&lt;b&gt;",
    "שלום",
    "{{ 7*7 }}",
    "'\"><svg/onload=alert(1)>",
    "line\nbreak",
    "\u2066isolate",
    "😀🏽",
    "__proto__",
)
PLAIN = ("the", "old", "river", "saw", "three", "dogs", "in", "May", "and", "they", "may", "answer", "quietly", ".")
PARTS = ("form", "position", "length", "context", "document", "rest")
ROWS, COLUMNS = 6, 8


def write(
    folder: Path,
    *,
    layers: tuple[str, ...] = ("encoder.layer.0.intermediate", "encoder.layer.0", "Odd Name/../[0]#2~pca"),
    width: int = 12,
    reported: int | None = None,
    n_concepts: int = 9,
    n_items: int = 40,
    hostile: bool = True,
    images: bool = False,
    optional: bool = True,
    baselines: tuple[str, ...] = ("untrained", "rotation"),
    seed: int = 0,
) -> Atlas:
    """Write an atlas into a fresh folder and open it."""
    draw, rng = random.Random(seed), np.random.default_rng(seed)
    grid = "image" if images else "source"
    study = _study(layers, width, grid, baselines)
    concepts = [f"upos:{draw.choice(HOSTILE)}{i}" if hostile and i % 2 else f"upos:TAG{i}" for i in range(n_concepts)]
    n = len(layers) * width
    evidence = {
        variant: _evidence(rng, layers, width, concepts, reported if reported is not None else n)
        for variant in study.variants
    }
    measures = parse_measures(study.measures)
    summary = conclude(study, measures, evidence, 1e-5, folder)
    units = evidence["trained"].units
    words = (*PLAIN, *HOSTILE) if hostile else PLAIN
    lengths = np.full(n_items, ROWS * COLUMNS) if images else rng.integers(8, 40, n_items)
    _items(folder, grid, lengths, words, draw, images)
    _clips(folder, rng, units, evidence["trained"].tests, grid, lengths)
    _concepts(folder, concepts, grid)
    for measure in measures:
        scores = {layer: rng.uniform(0, 1, (width, n_concepts)).astype(np.float32) for layer in layers}
        write_arrays(folder / "scores" / f"{measure.key}.safetensors", scores, {"concepts": {grid: concepts}})
    if optional:
        _optional(folder, rng, draw, units, concepts, words)
    notes = {
        "items": n_items,
        "counts": {},
        "resampling": {"between": ["last", "mean"], "changed": 1, "of": 9, "share": 0.1111},
    }
    grids = {
        grid: {
            "sites": 900, "sites_without_position": 3, "sites_a": 450, "sites_b": 447, "groups": 3, "blocks": 90,
            "blocks_are_runs_inside_groups": True, "concepts": n_concepts, "concepts_eligible": n_concepts - 1,
            "concepts_dropped": {"upos": 2},
        }
    }  # fmt: skip
    write_manifest(study, measures, grids, summary, notes, folder)
    return Atlas.open(folder)


def _study(layers: tuple[str, ...], width: int, grid: str, baselines: tuple[str, ...]) -> Study:
    described = tuple(
        Layer(address=layer, width=width, grid=grid, role="feed-forward neurons", order=order)
        for order, layer in enumerate(layers)
    )
    hashes = {"weight_hash": "ab" * 32, "corpus_hash": "cd" * 32, "versions": {"numpy": "2"}}
    return Study(
        model="made-up <b>model</b>",
        corpus="made-up",
        layers=described,
        concepts=("upos",),
        measures=MEASURES,
        baselines=baselines,
        **hashes,
    )


def _evidence(
    rng: np.random.Generator, layers: tuple[str, ...], width: int, concepts: list[str], reported: int
) -> Evidence:
    n = len(layers) * width
    layer = np.repeat(np.array(layers, object), width)
    unit = np.tile(np.arange(width, dtype=np.int32), len(layers))
    status = np.full(n, "live", object)
    status[:: max(n // 3, 1)] = "dead"
    units = {"layer": layer, "unit": unit, "status": status}
    units |= {
        name: np.full(n, value) for name, value in (("mean", 0.1), ("sd", 0.6), ("least", -2.0), ("greatest", 3.0))
    }
    units |= {
        "threshold_upper": np.full(n, 1.5),
        "n_on_upper": np.full(n, 9),
        "threshold_lower": np.full(n, -1.2),
        "n_on_lower": np.full(n, 9),
    }
    shares = rng.dirichlet(np.ones(len(PARTS)), n)
    units |= {f"share_{part}": shares[:, i] for i, part in enumerate(PARTS)}
    first = rng.integers(0, len(concepts), n)
    units["tested"] = np.array(concepts, object)[first]
    units |= {f"cover_{k}": np.full(n, 0.1 * k) for k in range(1, 6)}
    unit_of = np.repeat(np.arange(n), 2)
    slot = np.tile(np.array([1, 2], np.int32), n)
    m = 2 * n
    auroc = rng.uniform(0.55, 0.99, m)
    p = np.where(unit_of < reported, 1e-5, 0.9)
    place = rng.uniform(0.3, 0.99, m)
    place[rng.random(m) < 0.2] = np.nan
    place_p = np.where(np.isnan(place), np.nan, np.where(place > 0.6, 1e-5, 0.5))
    low = auroc - 0.04
    low[rng.random(m) < 0.1] = np.nan
    tests = {
        "layer": layer[unit_of], "unit": unit[unit_of], "slot": slot,
        "concept": np.array(concepts, object)[(first[unit_of] + slot - 1) % len(concepts)],
        "sign": np.where(rng.random(m) < 0.7, 1, -1).astype(np.int8),
        "n": np.full(m, 120), "prevalence": np.full(m, 0.05),
        "a_auroc": auroc, "auroc": auroc, "p": p,
        "low": low, "high": np.where(np.isnan(low), np.nan, np.minimum(auroc + 0.03, 1)),
        "within_form": place, "within_form_p": place_p,
        "within_form_position": place, "within_form_position_p": place_p,
    }  # fmt: skip
    for key in MEASURES[1:]:
        values = np.where(slot == 1, rng.uniform(0, 0.6, m), np.nan)
        tests |= {
            f"score_{key}": values,
            f"chance_{key}": np.full(m, 0.05),
            f"ceiling_{key}": np.full(m, 0.8 if key == "iou" else np.nan),
        }
    parsed = {measure.name: measure.key for measure in parse_measures(MEASURES)}
    for name, key in parsed.items():
        for kind in ("score", "chance", "ceiling"):
            if f"{kind}_{name}" in tests and key != name:
                tests[f"{kind}_{key}"] = tests.pop(f"{kind}_{name}")
    return Evidence(units, tests)


def _items(
    folder: Path, grid: str, lengths: np.ndarray, words: tuple[str, ...], draw: random.Random, images: bool
) -> None:
    n = len(lengths)
    table = {
        "item": pa.array(np.arange(n, dtype=np.int32)),
        "id": pa.array([f"item {i} {words[-1 - i % len(words)]}"[:80] for i in range(n)]),
        "group": pa.array([f"document {i // 4}" for i in range(n)]),
        "grid": pa.array([grid] * n),
        "words": pa.array(
            [None if images else [draw.choice(words) for _ in range(k)] for k in lengths], pa.list_(pa.string())
        ),
        "spaces": pa.array(
            [None if images else [draw.random() < 0.9 for _ in range(k)] for k in lengths], pa.list_(pa.bool_())
        ),
        "image": pa.array([f"picture {i}.png" if images else None for i in range(n)], pa.string()),
        "rows": pa.array([ROWS if images else None] * n, pa.int32()),
        "columns": pa.array([COLUMNS if images else None] * n, pa.int32()),
    }
    write_arrow(folder / "items.parquet", pa.table(table))
    if images:
        from PIL import Image

        (folder / "images").mkdir(exist_ok=True)
        for i in range(n):
            Image.linear_gradient("L").rotate(40 * i).resize((160, 120)).save(folder / "images" / f"picture {i}.png")


CLIP_KINDS = (("top", 12), ("low", 12), ("band", 12), ("random", 5), ("missed", 5))
BANDS = ((0.99, 1.0), (0.9, 0.99), (0.5, 0.9), (0.0, 0.5))


def _clips(folder: Path, rng: np.random.Generator, units: dict, tests: dict, grid: str, lengths: np.ndarray) -> None:
    n = len(units["unit"])
    kinds = np.array([kind for kind, k in CLIP_KINDS for _ in range(k)], object)
    ranks = np.array([rank for _, k in CLIP_KINDS for rank in range(1, k + 1)], np.int32)
    low = np.array([BANDS[(rank - 1) // 3][0] if kind == "band" else np.nan for kind, rank in zip(kinds, ranks)])
    high = np.array([BANDS[(rank - 1) // 3][1] if kind == "band" else np.nan for kind, rank in zip(kinds, ranks)])
    per = len(kinds)
    item = rng.integers(0, len(lengths), n * per).astype(np.int32)
    length = lengths[item]
    position = (rng.random(n * per) * length).astype(np.int32)
    values = rng.normal(0, 0.7, int(length.sum())).astype(np.float32)
    starts = np.concatenate([[0], np.cumsum(length)[:-1]])
    concept = np.repeat(tests["concept"][::2], per)
    concept[np.tile(kinds, n) != "missed"] = None
    table = {
        "layer": pa.array(np.repeat(units["layer"], per), pa.string()),
        "unit": pa.array(np.repeat(units["unit"], per)),
        "kind": pa.array(np.tile(kinds, n), pa.string()),
        "rank": pa.array(np.tile(ranks, n)),
        "low_quantile": pa.array(np.tile(low, n), from_pandas=True),
        "high_quantile": pa.array(np.tile(high, n), from_pandas=True),
        "concept": pa.array(concept.tolist(), pa.string()),
        "grid": pa.array(np.full(n * per, grid, object), pa.string()),
        "item": pa.array(item),
        "position": pa.array(position),
        "value": pa.array(values[starts + position].astype(np.float64)),
        "first": pa.array(np.zeros(n * per, np.int32)),
        "values": list_column(values, length),
    }
    write_arrow(folder / "clips.parquet", pa.table(table))


def _concepts(folder: Path, concepts: list[str], grid: str) -> None:
    c = len(concepts)
    columns = {"n": 100, "n_known": 900, "prevalence": 0.11, "n_a": 50, "n_b": 50, "blocks_a": 20, "blocks_b": 20}
    table = {
        "concept": np.array(concepts, object),
        "category": np.full(c, "upos", object),
        "grid": np.full(c, grid, object),
    }
    eligible = np.ones(c, np.bool_)
    eligible[-1] = False
    write_table(
        folder / "concepts.parquet",
        table | {name: np.full(c, value) for name, value in columns.items()} | {"eligible": eligible},
    )


def _optional(
    folder: Path,
    rng: np.random.Generator,
    draw: random.Random,
    units: dict,
    concepts: list[str],
    words: tuple[str, ...],
) -> None:
    """Density, writes, ladder and formulas."""
    n = len(units["unit"])
    key = {"layer": pa.array(units["layer"], pa.string()), "unit": pa.array(units["unit"])}
    counts = rng.poisson(np.exp(-(((np.arange(48) - 20) / 6.0) ** 2)) * 200 + 0.2, (n, 48)).astype(np.int32)
    bins = {
        "low": pa.array(units["least"]),
        "high": pa.array(units["greatest"]),
        "counts": list_column(counts.reshape(-1), np.full(n, 48)),
    }
    write_arrow(folder / "density.parquet", pa.table(key | bins))
    some = min(n, 400)
    layer, unit = units["layer"][:some], units["unit"][:some]
    six = {"layer": np.repeat(layer, 6), "unit": np.repeat(unit, 6)}
    signs, ranks = (
        np.tile(np.array([1, 1, 1, -1, -1, -1], np.int32), some),
        np.tile(np.array([1, 2, 3, 1, 2, 3], np.int32), some),
    )
    tokens = np.array([draw.choice(words) for _ in range(6 * some)], object)
    write_table(
        folder / "writes.parquet",
        six
        | {
            "kind": np.full(6 * some, "lens", object),
            "sign": signs,
            "rank": ranks,
            "token": tokens,
            "chance": signs * 0.5,
            "value": rng.normal(0, 1, 6 * some),
        },
    )
    rungs = ("documents", "word types", "ambiguous words", "minimal pairs")
    four = {"layer": np.repeat(layer, 4), "unit": np.repeat(unit, 4), "slot": np.ones(4 * some, np.int32)}
    effect = rng.uniform(0.4, 1, 4 * some)
    rest = {
        "concept": np.full(4 * some, concepts[1], object),
        "rung": np.tile(np.array(rungs, object), some),
        "effect": effect,
        "low": effect - 0.05,
        "high": np.minimum(effect + 0.05, 1),
        "p": np.full(4 * some, 0.01),
        "n": np.full(4 * some, 40),
    }
    write_table(folder / "ladder.parquet", four | rest)
    score = rng.uniform(0.6, 0.9, some)
    texts = {
        "formula": np.full(some, f"{concepts[0]} and not {concepts[1]}", object),
        "single": np.full(some, concepts[0], object),
    }
    numbers = {
        "length": np.full(some, 2),
        "sign": np.ones(some, np.int32),
        "score_a": score,
        "score": score,
        "low": score - 0.03,
        "high": score + 0.03,
        "p": np.full(some, 0.01),
        "single_score": score - 0.1,
        "n": np.full(some, 70),
    }
    write_table(folder / "formulas.parquet", {"layer": layer, "unit": unit} | texts | numbers)
