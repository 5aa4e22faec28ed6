"""What mapping a network of images costs beside the bare forward pass over the same pictures.

SqueezeNet's eight fire modules (2,560 units) over the 367 CamVid training frames, on each feature map's own cells
(55 x 55, 27 x 27, 13 x 13), all measures, with masks, place and colours as concepts, halves, null, intervals, strata
and writing. The bare side reads, scales and normalises the same pictures and runs the whole network, 32 at a time, as
`map` has to. Both sides one thread, interleaved, medians; model loading and imports excluded. The clock is the
process's CPU time by default, since wall time on a machine with other work measures that work too.

Usage: benchmarks/dissection_slice.py [--quick] [--clock cpu|wall] [--repeats N]
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

import numpy as np
import torch

from unitscope.api import Settings, make_run
from unitscope.corpora import load_corpus
from unitscope.models.images import ImageModel, scaled_pixels
from unitscope.models.zoo import from_zoo
from unitscope.pixels import pixels_of
from unitscope.sites import Image

SHARED = Path(__file__).resolve().parent.parent.parent / "shared"
CAMVID, WEIGHTS = SHARED / "data" / "camvid", SHARED / "models" / "squeezenet1_1_fp16w.safetensors"
FIRES = ["features.[34679]", "features.1[0-2]"]
MUST, AIM = {"ratio": 4.0}, {"ratio": 2.0}


def bare_forward(model: ImageModel, images: list[Image]) -> None:
    pixels_of.cache_clear()
    with torch.inference_mode():
        for start in range(0, len(images), 32):
            pixels = np.stack([scaled_pixels(image, model.size) for image in images[start : start + 32]])
            model.module(*model.adapter.encode_images(pixels))


def measure(n_images: int, repeats: int, clock: Callable[[], float]) -> dict[str, float]:
    images = [item.grids["image"] for item in load_corpus(str(CAMVID), max_items=n_images)]
    model = from_zoo("squeezenet", str(WEIGHTS))
    bare_forward(model, images[:32])
    forwards, maps, units = [], [], 0
    for repeat in range(repeats):
        started = clock()
        bare_forward(model, images)
        forwards.append(clock() - started)
        with tempfile.TemporaryDirectory() as place:
            settings = Settings(layers=FIRES, weights=str(WEIGHTS), workers=1, threads=1, max_items=n_images)
            run = make_run("zoo:squeezenet", str(CAMVID), Path(place) / "atlas", settings)
            units = sum(layer.width for layer in run.study.layers)
            started = clock()
            run.finish()
            maps.append(clock() - started)
        print(f"  {repeat + 1}: forward {forwards[-1]:.1f} s, map {maps[-1]:.1f} s", file=sys.stderr)
    forward, whole = statistics.median(forwards), statistics.median(maps)
    figures = {"forward_s": round(forward, 2), "map_s": round(whole, 2), "ratio": round(whole / forward, 3)}
    return figures | {"units": units, "images": len(images)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one repeat, 40 frames")
    parser.add_argument("--clock", choices=["cpu", "wall"], default="cpu")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if not (CAMVID.exists() and WEIGHTS.exists()):
        print("skipped: no CamVid or SqueezeNet beside the project")
        return 0
    torch.set_num_threads(1)
    clock = time.process_time if arguments.clock == "cpu" else time.perf_counter
    print("Compiling kernels", file=sys.stderr)
    measure(24, 1, clock)
    found = measure(40 if arguments.quick else 367, 1 if arguments.quick else arguments.repeats, clock)
    peak = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 3)
    print(json.dumps({**found, "clock": arguments.clock, "peak_gb": peak, "must": MUST, "aim": AIM}))
    return 1 if not arguments.quick and found["ratio"] > MUST["ratio"] else 0


if __name__ == "__main__":
    sys.exit(main())
