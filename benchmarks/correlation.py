"""What MaxCorr and LinReg cost beside the matrix products that they cannot do without.

Two models of 2,688 units each over 40,000 words: units mix 300 signals that both have with 300 of their own, in files
of float32 that both sides read 2,048 rows at a time. The bare side makes plain products in single precision, on the
same BLAS and the same pieces: X'Y for MaxCorr; X'X (a symmetric product, half the work) and X'Y for LinReg. Nothing is
standardised there, no mean, no half, no penalty, no error. Our side gives all that users get: scores over all sites
and on both halves, partners, held-out correlations with intervals, the level reached by chance, and for LinReg
penalties by layer (seven layers), out-of-sample R2, intervals, and the level reached by chance.

`ratio` is our CPU time for both over the bare time of both. One thread, interleaved, medians.

Usage: benchmarks/correlation.py [--quick] [--repeats N]
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
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unitscope.rankings.correlation import cross_model, halves_of
from unitscope.rankings.regression import predicted

MUST, AIM = {"ratio": 2.0}, {"ratio": 1.5}
N_LAYERS, N_SIGNALS, ROWS, WORDS_OF_ITEM, ITEMS_OF_GROUP = 7, 300, 2048, 20, 8


@dataclass(frozen=True)
class File:
    """A matrix of float32 in a file."""

    path: Path
    n_sites: int
    n_units: int

    def blocks(self, columns: NDArray[np.int64] | None = None) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows and their values; read, not mapped, since pages that are mapped would count as memory of ours."""
        with self.path.open("rb") as file:
            for start in range(0, self.n_sites, ROWS):
                n = min(ROWS, self.n_sites - start)
                values = np.fromfile(file, np.float32, n * self.n_units).reshape(n, self.n_units)
                yield slice(start, start + n), values if columns is None else values[:, columns]


def write(folder: Path, n_sites: int, n_units: int) -> tuple[File, File]:
    draw = np.random.default_rng(0)
    mixing = [draw.standard_normal((2 * N_SIGNALS, n_units), np.float32) / 25 for _ in range(2)]
    files = [File(folder / name, n_sites, n_units) for name in ("x.bin", "y.bin")]
    with files[0].path.open("wb") as x, files[1].path.open("wb") as y:
        for start in range(0, n_sites, ROWS):
            n = min(ROWS, n_sites - start)
            shared = draw.standard_normal((n, N_SIGNALS), np.float32)
            for file, mix in zip((x, y), mixing):
                own = draw.standard_normal((n, N_SIGNALS), np.float32)
                values = np.concatenate([shared, own], axis=1) @ mix
                values += draw.standard_normal((n, n_units), np.float32)
                values.tofile(file)
    return files[0], files[1]


def product(x: File, y: File) -> None:
    total = np.zeros((x.n_units, y.n_units), np.float32)
    for (_, a), (_, b) in zip(x.blocks(), y.blocks()):
        total += a.T @ b


def products(x: File, y: File) -> None:
    total, gram = np.zeros((2, x.n_units, x.n_units), np.float32)
    for (_, a), (_, b) in zip(x.blocks(), y.blocks()):
        gram += b.T @ b
        total += b.T @ a


def timed(call: Callable[[], object]) -> float:
    started = time.process_time()
    call()
    return time.process_time() - started


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="1,344 units, 20,000 words, one repeat")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    n_sites, n_units, repeats = (20_000, 1344, 1) if arguments.quick else (40_000, 2688, arguments.repeats)
    item = np.arange(n_sites) // WORDS_OF_ITEM
    halves = halves_of(n_sites, item, item // ITEMS_OF_GROUP)
    layer_of = np.arange(n_units) * N_LAYERS // n_units
    sides: dict[str, list[float]] = {name: [] for name in ("bare_maxcorr", "maxcorr", "bare_linreg", "linreg")}
    with tempfile.TemporaryDirectory() as place:
        small = write(Path(place), 2000, 64)
        few = np.arange(2000) // WORDS_OF_ITEM
        # Kernels are loaded from their cache before anything is timed.
        cross_model(small[0], {"y": small[1]}, halves_of(2000, few))
        predicted(small[0], {"y": small[1]}, halves_of(2000, few))
        x, y = write(Path(place), n_sites, n_units)
        for repeat in range(repeats):
            sides["bare_maxcorr"].append(timed(lambda: product(x, y)))
            sides["maxcorr"].append(timed(lambda: cross_model(x, {"y": y}, halves)))
            sides["bare_linreg"].append(timed(lambda: products(x, y)))
            sides["linreg"].append(timed(lambda: predicted(x, {"y": y}, halves, layer_of)))
            print(f"  {repeat + 1}:", *(f"{name} {each[-1]:.1f} s" for name, each in sides.items()), file=sys.stderr)
    seconds = {name: statistics.median(each) for name, each in sides.items()}
    ours, bare = seconds["maxcorr"] + seconds["linreg"], seconds["bare_maxcorr"] + seconds["bare_linreg"]
    figures = {
        "ratio": round(ours / bare, 3),
        "ratio_maxcorr": round(seconds["maxcorr"] / seconds["bare_maxcorr"], 3),
        "ratio_linreg": round(seconds["linreg"] / seconds["bare_linreg"], 3),
        **{f"{name}_s": round(each, 2) for name, each in seconds.items()},
        "units": n_units,
        "words": n_sites,
        "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3),
    }
    print(f"{n_units} units, {n_sites} words: MaxCorr and LinReg take {figures['ratio']} times their bare products")
    print(json.dumps({**figures, "must": MUST, "aim": AIM}))
    return 1 if not arguments.quick and figures["ratio"] > MUST["ratio"] else 0


if __name__ == "__main__":
    sys.exit(main())
