"""What the search of formulas costs: 1,000 units by 200 concepts over 28,000 sites, on one thread.

The peer is the same search in numpy: boolean masks, all extensions of a beam at once by matrix products. Both sides get
the same units, concepts, beam and price, interleaved, medians of five (the peer runs a sample of units and is scaled);
what they find must be the same. Compiling is excluded. `search_s` is one search at one share of on-sites; `pass_s` is
all that `map --formulas 3` does for these units beyond a plain map: four shares, luck, held-out scores, intervals, p.

Usage: benchmarks/formulas.py [--quick]
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import json
import resource
import statistics
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unitscope.arrays import to_keys
from unitscope.concepts.table import ConceptTable
from unitscope.stats.formulas import AND, BEAM, MIN_SITES, OR, Masks, price, search
from unitscope.stats.view import Columns, View
from unitscope.study.candidates import Candidates
from unitscope.study.formulas import formulas
from unitscope.study.frame import make_frame
from unitscope.study.prepare import Sites

Mask = NDArray[np.bool_]
N_SITES, N_CONCEPTS, N_UNITS, MOST, SAMPLE = 28_000, 200, 1000, 3, 10
MUST, AIM = {"search_s": 5.0}, {"search_s": 2.0}


def made(n_units: int) -> tuple[Mask, NDArray[np.float32]]:
    """Concepts [S, C] of all sizes, and units [U, S]: formulas of two or three of them in noise, and noise."""
    draw = np.random.default_rng(0)
    masks = draw.random((N_SITES, N_CONCEPTS)) < np.exp(draw.uniform(np.log(0.003), np.log(0.3), N_CONCEPTS))
    values = draw.standard_normal((n_units, N_SITES), np.float32)
    for unit in range(0, n_units, 2):
        first, second, third = draw.choice(N_CONCEPTS, 3, replace=False)
        signal = [masks[:, first] & masks[:, second], masks[:, first] | masks[:, second]][unit // 2 % 2]
        values[unit] += 3 * (signal & ~masks[:, third])
    return masks, values


def kappas(both: Any, on: int, n: Any) -> Any:
    below = on * (N_SITES - n) + n * (N_SITES - on)
    return np.where(below > 0, 2.0 * (both * N_SITES - on * n) / np.maximum(below, 1), 0.0)


def numpy_search(on: Mask, masks: Mask) -> float:
    """Greatest kappa less price of one unit's formulas."""
    floats = masks.astype(np.float32)
    beam = [(np.ones(N_SITES, np.bool_), ())]
    n_on, best = int(on.sum()), 0.0
    counts, alone = floats.sum(axis=0), floats[on].sum(axis=0)
    for length in range(1, MOST + 1):
        tried: list[tuple[float, int, int, int]] = []
        for f, (mask, used) in enumerate(beam):
            n, both = mask @ floats, (mask & on) @ floats
            n_f, both_f = mask.sum(), (mask & on).sum()
            every = [(n, both), (n_f + counts - n, both_f + alone - both), (n_f - n, both_f - both)]
            for op, (size, shared) in enumerate(every[: 1 if length == 1 else 3]):
                score = kappas(shared, n_on, size)
                again = (size == n_f) | ((size == counts) & (op < 2)) if length > 1 else size < 0
                score[again | (size < MIN_SITES) | (size > N_SITES - MIN_SITES)] = 0.0
                score[list(used)] = 0.0
                order = np.argsort(-score, kind="stable")[: 4 * BEAM]
                tried += [(-float(score[c]), f, int(c), op) for c in order if score[c] > 0]
        new: list[Any] = []
        for score, f, c, op in sorted(tried)[: 4 * BEAM]:
            mask, used = beam[f]
            mask = mask & masks[:, c] if op == AND else mask | masks[:, c] if op == OR else mask & ~masks[:, c]
            if len(new) < BEAM and not any(np.array_equal(mask, other) for other, _ in new):
                new.append((mask, (*used, c)))
                best = max(best, -score - price(N_SITES) * (length - 1))
        beam = new
    return best


def on_at(values: NDArray[np.float32], share: float) -> Mask:
    return values > np.quantile(values, 1 - share, axis=1)[:, None]


def whole_pass(masks: Mask, values: NDArray[np.float32]) -> float:
    """Seconds of all that a map does for formulas, with both halves drawn from twice as many sites."""
    twice = np.concatenate([masks, masks])
    indptr = np.concatenate([[0], np.cumsum(twice.sum(axis=0))]).astype(np.int64)
    names = tuple(f"c:{i}" for i in range(N_CONCEPTS))
    table = ConceptTable(names, ("c",) * N_CONCEPTS, indptr, np.nonzero(twice.T)[1].astype(np.int32), len(twice))
    item = (np.arange(len(twice)) // 10).astype(np.int32)
    zeros = np.zeros(len(twice), np.int32)
    groups = [f"g{i // 20}" for i in range(int(item[-1]) + 1)]
    frame = make_frame(Sites(item, zeros, zeros + 10, zeros), groups, table, np.ones(len(twice), np.bool_), 0)
    universe = frame.universes[0]
    seconds = 0.0
    for start in range(0, len(values), 128):
        part = values[start : start + 128]
        keys = to_keys(np.concatenate([part, part], axis=1).astype(np.float16))
        view = View(keys[:, frame.halves.b], universe.columns_b)
        signs = np.ones((len(keys), 1), np.int8)
        candidates = Candidates(np.zeros((len(keys), 1), np.int32), signs, np.full((len(keys), 1), 0.9))
        started = time.perf_counter()
        formulas(frame, keys, [view], candidates, MOST)
        seconds += time.perf_counter() - started
    return seconds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repeat, a tenth of the units")
    quick = parser.parse_args().quick
    n_units, repeats, sample = (N_UNITS // 10, 1, 3) if quick else (N_UNITS, 5, SAMPLE)
    masks, values = made(n_units)
    on = on_at(values, 0.03)
    columns, allowed = Columns.from_masks(masks), np.ones(N_CONCEPTS, np.bool_)
    search(on[:2], Masks.of(columns), allowed, MOST)  # compiled kernels come from their cache before anything is timed
    whole_pass(masks, values[:2])
    ours, peers = [], []
    for repeat in range(repeats):
        started = time.perf_counter()
        found = search(on, Masks.of(columns), allowed, MOST)
        ours.append(time.perf_counter() - started)
        started = time.perf_counter()
        best = [numpy_search(on[unit], masks) for unit in range(sample)]
        peers.append((time.perf_counter() - started) / sample * n_units)
        print(f"  {repeat + 1}: search {ours[-1]:.2f} s, numpy {peers[-1]:.1f} s", file=sys.stderr)
    same = np.nan_to_num(found.score - price(N_SITES) * (found.length - 1))[:sample]
    agree = bool(np.allclose(same, best, atol=1e-4))
    figures: dict[str, Any] = {
        "units": n_units,
        "concepts": N_CONCEPTS,
        "sites": N_SITES,
        "beam": BEAM,
        "most": MOST,
        "search_s": round(statistics.median(ours), 3),
        "numpy_s": round(statistics.median(peers), 1),
        "same": agree,
    }
    figures["ratio"] = round(figures["numpy_s"] / figures["search_s"], 1)
    figures["pass_s"] = round(whole_pass(masks, values), 2)
    figures["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3)
    print(f"search {figures['search_s']} s, numpy {figures['numpy_s']} s, ratio {figures['ratio']}, same: {agree}")
    print(json.dumps({**figures, "must": MUST, "aim": AIM}))
    return 0 if agree and (quick or figures["search_s"] <= MUST["search_s"]) else 1


if __name__ == "__main__":
    sys.exit(main())
