"""Which ways of finding units find those that were planted? Recovery curves of all measures, rankings and probes.

Each corpus is of a made-up language (`unitscope.planted`). Of every tag there are four detectors, all of one separation
in standard deviations of the noise; beside them stand decoys that know only words, position or length, or respond to
one sub-tag of a tag (`nested`), and units of nothing but noise. Every method ranks all units for every tag from half A
of the documents; `effect within form` chooses on half A and judges on half B. The same units with the same noise come
with other separations. The last line is one JSON object:

area     mean recall over separations by method; recall is the share of a tag's detectors among its first four units
curves   by method, at each separation: `recall` with a 95 % interval over corpora (Student's t), and `decoys`, the
         share of decoys among the first four units
chance   both for a random order
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student

from unitscope import planted
from unitscope.activations import Activations
from unitscope.arrays import to_keys
from unitscope.measures import default_measures
from unitscope.models.base import Layer
from unitscope.planted import Language, Noise, PlantedCorpus, Unit
from unitscope.probes.base import Labels, Subset
from unitscope.probes.choose import choose
from unitscope.probes.greedy import select_greedily
from unitscope.probes.kinds import MIX, STRENGTHS
from unitscope.probes.penalty import path
from unitscope.rankings.base import ALL
from unitscope.rankings.make import rank
from unitscope.study.assemble import test_table
from unitscope.study.frame import make_frame
from unitscope.study.plan import Study
from unitscope.study.unitpass import score
from unitscope.study.verdicts import find_matches

SEPARATIONS, QUICK_SEPARATIONS = (0.25, 0.5, 1.0, 2.0), (0.5, 2.0)
N_CORPORA, DOCUMENTS, QUICK_DOCUMENTS = 6, 40, 20
N_DETECTORS, N_WORD, N_PLACE, N_NESTED, N_NULL = 4, 2, 8, 2, 60
LAYER = "planted"
RANKINGS = ("probeless", "probeless:standardise=true", "f", "variance")
ELASTIC, GREEDY, EFFECT = "linear probe", "gaussian probe, greedy", "effect within form"
MUST = {"best": 0.7, "random": 0.06}
AIM = {"best": 0.8, "random": 0.05}

Orders = dict[str, dict[str, list[int]]]
"""Units best first, by method and concept."""


def plant(language: Language, separation: float, seed: int) -> list[Unit]:
    """Units of one scene; those of another separation differ in their signal alone."""
    rng = np.random.default_rng([seed, 4])
    tags = [concept for concept in language.concepts if concept.field == "tag"]
    units = []
    for tag in tags:
        units += [planted.detector(tag, separation, Noise.draw(rng)) for _ in range(N_DETECTORS)]
        units += [planted.word_decoy(language, tag, Noise.draw(rng), rng) for _ in range(N_WORD)]
        children = [c for c in language.concepts if c.field == "subtag" and language.parent[c.low] == tag.low]
        for child in (children * N_NESTED)[:N_NESTED]:
            units.append(planted.detector(child, separation, Noise.draw(rng), "nested"))
    for _ in range(N_PLACE):
        units.append(planted.place_decoy("position", Noise.draw(rng), rng))
        units.append(planted.place_decoy("length", Noise.draw(rng), rng))
    return units + [planted.null(Noise.draw(rng)) for _ in range(N_NULL)]


def activations_of(corpus: PlantedCorpus, language: Language, units: Sequence[Unit], seed: int) -> Activations:
    """The scene as anything that ranks units sees it: one layer, tags as the concepts."""
    tags = [concept for concept in language.concepts if concept.field == "tag"]
    names = np.array([f"document {number}" for number in range(int(corpus.document.max()) + 1)])
    values = np.ascontiguousarray(planted.activations(units, corpus, seed).T.astype(np.float32))
    sites, groups = corpus.sites, names[corpus.document].tolist()
    return Activations.of_arrays({LAYER: values}, corpus.table(tags), sites=sites, groups=groups, seed=seed)


def ranked(activations: Activations, seed: int) -> Orders:
    """All measures, and the rankings from class means, variance and chance."""
    tags = activations.concepts.names
    measures = list(dict.fromkeys(measure.name for measure in default_measures()))
    found: Orders = {}
    for by in (*measures, *RANKINGS):
        targets = {each.target: each for each in rank(activations, by=by, concepts="tag", half="a", seed=seed)}
        orders = {tag: targets.get(tag, targets.get(ALL)) for tag in tags}
        found[by] = {
            tag: [] if each is None else each.indices(activations.addresses).tolist() for tag, each in orders.items()
        }
    drawn = {tag: rank(activations, by="random", seed=100 * seed + i)[0] for i, tag in enumerate(tags)}
    return found | {"random": {tag: each.indices(activations.addresses).tolist() for tag, each in drawn.items()}}


def probed(activations: Activations, seed: int) -> Orders:
    """The linear probe of all tags by the size of a tag's weights; the Gaussian one greedily for each tag by itself."""
    train = activations.halves.a
    matrix = Subset(activations, train)
    labels = Labels.of_category(activations.concepts, "tag").select_sites(train)
    probe = choose(matrix, labels, activations.group[train], path(STRENGTHS, MIX), seed=seed).probe
    size = np.abs(probe.weights)
    linear = {tag: np.argsort(-size[i], kind="stable").tolist() for i, tag in enumerate(labels.names)}
    greedy = {}
    for tag in labels.names:
        single = Labels.of_concept(activations.concepts, tag).select_sites(train)
        greedy[tag] = select_greedily(matrix, single, N_DETECTORS, seed=seed).units.tolist()
    return {ELASTIC: linear, GREEDY: greedy}


def judged(corpus: PlantedCorpus, activations: Activations, seed: int) -> Orders:
    """Reported matches by their effect within word form on half B, as a map of these units would have them."""
    table, values = activations.concepts, activations.values()
    frame = make_frame(corpus.sites, corpus.groups, table, np.ones(corpus.n_sites, np.bool_), seed)
    keys = to_keys(np.ascontiguousarray(values.T).astype(np.float16))
    n_units = len(keys)
    arrays = score(frame, (), keys, np.ones(n_units, np.float32))
    arrays |= {"layer": np.zeros(n_units, np.int32), "unit": np.arange(n_units, dtype=np.int32)}
    study = Study(LAYER, "", LAYER, "", (Layer(LAYER, n_units, "source"),), (), ())
    bar = {LAYER: float("nan")}
    matches = find_matches(test_table(study, {"source": frame}, (), arrays), (), bar)
    effects: dict[str, dict[int, float]] = {tag: {} for tag in table.names}
    for unit, tag, effect in zip(*(matches[name].tolist() for name in ("unit", "concept", "within_form"))):
        if np.isfinite(effect):
            effects[tag][unit] = max(effect, effects[tag].get(unit, -np.inf))
    return {EFFECT: {tag: sorted(own, key=lambda unit: -own[unit]) for tag, own in effects.items()}}


def found_in(order: Sequence[int], units: Sequence[Unit], tag: str) -> tuple[float, float]:
    """Recall and share of decoys among the first units; places that no unit takes count as neither."""
    first = [units[u] for u in order[:N_DETECTORS]]
    true = sum(unit.kind == "detector" and unit.concept == tag for unit in first)
    decoys = sum(unit.kind not in ("detector", "null") for unit in first)
    return true / N_DETECTORS, decoys / N_DETECTORS


def scene(number: int, separation: float, documents: int) -> tuple[dict[str, NDArray[np.float64]], list[Unit]]:
    """Recall and share of decoys, means over tags, by method; and the units of the scene."""
    language = Language.draw(number)
    corpus, units = language.corpus(documents, number), plant(language, separation, number)
    activations = activations_of(corpus, language, units, number)
    orders = (
        ranked(activations, number + round(1000 * separation))
        | probed(activations, number)
        | judged(corpus, activations, number)
    )
    shares = {
        method: np.mean([found_in(order, units, tag) for tag, order in of.items()], axis=0)
        for method, of in orders.items()
    }
    return shares, units


def summed(shares: Mapping[str, Mapping[float, Sequence[NDArray[np.float64]]]]) -> dict[str, Any]:
    """Curves and areas by method, best first."""
    curves: dict[str, list[dict[str, float]]] = {}
    for method, of in shares.items():
        curves[method] = []
        for separation, each in of.items():
            values = np.array(each)
            recall, decoys = values.mean(axis=0)
            n = len(values)
            wide = student.ppf(0.975, n - 1) * values[:, 0].std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
            point = {"separation": separation, "recall": recall, "low": max(recall - wide, 0.0)}
            point["high"] = min(recall + wide, 1.0)
            curves[method].append({**point, "decoys": decoys})
    area = {method: float(np.mean([point["recall"] for point in points])) for method, points in curves.items()}
    best = sorted(area, key=lambda method: -area[method])
    return {"area": {method: area[method] for method in best}, "curves": {method: curves[method] for method in best}}


def show(figures: Mapping[str, Any]) -> None:
    """The table: recall with its interval and decoys at each separation."""
    separations = [point["separation"] for point in next(iter(figures["curves"].values()))]
    print(f"{'':28}{'area':>6}" + "".join(f"{f'{s:g} SD: recall, decoys':>28}" for s in separations))
    for method, points in figures["curves"].items():
        cells = (f"{p['recall']:.2f} [{p['low']:.2f}, {p['high']:.2f}]  {p['decoys']:.2f}" for p in points)
        print(f"{method:28}{figures['area'][method]:6.2f}" + "".join(f"{cell:>28}" for cell in cells))
    chance = figures["chance"]
    print(f"chance: recall {chance['recall']:.3f}, decoys {chance['decoys']:.3f}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two small corpora, two separations; nothing must be met")
    parser.add_argument("--corpora", type=int, default=N_CORPORA)
    arguments = parser.parse_args()
    n_corpora = min(2, arguments.corpora) if arguments.quick else arguments.corpora
    documents = QUICK_DOCUMENTS if arguments.quick else DOCUMENTS
    torch.set_num_threads(1)
    started = time.process_time()
    shares: dict[str, dict[float, list[NDArray[np.float64]]]] = defaultdict(lambda: defaultdict(list))
    for number in range(n_corpora):
        for separation in QUICK_SEPARATIONS if arguments.quick else SEPARATIONS:
            found, units = scene(number, separation, documents)
            for method, values in found.items():
                shares[method][separation].append(values)
        print(f"corpus {number + 1} of {n_corpora}: {time.process_time() - started:.0f} s", file=sys.stderr)
    n_decoys = sum(unit.kind not in ("detector", "null") for unit in units)
    chance = {"recall": N_DETECTORS / len(units), "decoys": n_decoys / len(units)}
    figures = {**summed(shares), "chance": chance}
    show(figures)
    rounded = json.loads(json.dumps(figures), parse_float=lambda text: round(float(text), 4))
    area = figures["area"]
    missed = [] if max(area.values()) >= MUST["best"] else ["best"]
    missed += [] if area["random"] <= MUST["random"] else ["random"]
    missed = [] if arguments.quick else missed
    print(
        f"{n_corpora} corpora, {len(units)} units, {time.process_time() - started:.0f} s; missed: {missed or 'nothing'}"
    )
    about = {"corpora": n_corpora, "documents": documents, "units": len(units), "detectors": N_DETECTORS}
    print(json.dumps({**rounded, **about, "must": MUST, "aim": AIM}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
