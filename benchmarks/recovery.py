"""Does the study find what was planted, and nothing else? Recovery, false discoveries, coverage and decoys.

Each corpus is of one of ten made-up languages and has detectors of known separation, units of nothing but noise, and
decoys that know only words, position, length or a parent tag. The study's own functions choose, test and judge; the
planted truth says what is false. See `unitscope.planted`. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from unitscope import planted
from unitscope.arrays import to_keys
from unitscope.models.base import Layer
from unitscope.planted import Concept, Language, Noise, PlantedCorpus, Population, Unit
from unitscope.study.assemble import test_table
from unitscope.study.frame import Frame, make_frame
from unitscope.study.plan import Study
from unitscope.study.unitpass import score
from unitscope.study.verdicts import find_matches

N_LANGUAGES, POPULATION = 10, 4000
DOCUMENTS = (70, 90, 110)
N_STRONG, N_OTHER, N_NULL, N_DECOYS, N_WEAK = 24, 16, 60, 8, 3
STRONG, WEAK_AUROC, WEAK_SITES = 2.0, 0.7, 200
MUST = {"recall": 0.95, "fdr": 0.05, "coverage": 0.92, "decoys": 0.05, "power": 0.9}
AIM = {"recall": 0.98, "fdr": 0.03, "coverage": 0.94, "decoys": 0.03, "power": 0.95}
DECOYS = ("word", "position", "length", "nested")


@dataclass(frozen=True)
class World:
    """A language with its population of true scores."""

    language: Language
    population: Population

    @classmethod
    def draw(cls, seed: int) -> World:
        language = Language.draw(seed)
        return cls(language, Population(language.corpus(POPULATION, 10_000 + seed)))


@dataclass
class Tally:
    """What is counted over corpora; `hits` are (successes, cases) by table and family."""

    false_shares: list[float] = field(default_factory=list)
    null_shares: list[float] = field(default_factory=list)
    hits: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))

    def add(self, table: str, family: str, success: bool) -> None:
        for name in (family, "all"):
            self.hits[table, name][0] += int(success)
            self.hits[table, name][1] += 1

    def rate(self, table: str, family: str = "all") -> float:
        successes, cases = self.hits[table, family]
        return successes / cases if cases else float("nan")


def plant(language: Language, corpus: PlantedCorpus, concepts: list[Concept], eligible: NDArray[np.bool_], seed: int) -> list[Unit]:
    """Units of one corpus: detectors of concepts that can be tested, noise, decoys."""
    rng = np.random.default_rng([seed, 4])
    open_to = [c for c, ok in zip(concepts, eligible.tolist()) if ok]

    def some(n: int) -> list[Concept]:
        return [open_to[i] for i in rng.integers(0, len(open_to), n)]

    units = [planted.detector(c, STRONG, Noise.draw(rng)) for c in some(N_STRONG)]
    units += [planted.detector(c, float(rng.choice([0.75, 1.0, 1.5, 3.0])), Noise.draw(rng)) for c in some(N_OTHER)]
    weak = [c for c in corpus.mark_concepts if corpus.mask(c).sum() == WEAK_SITES][-N_WEAK:]
    gap = float(np.sqrt(2) * ndtri(WEAK_AUROC))
    units += [planted.detector(c, gap, replace(Noise.draw(rng), shape="gaussian")) for c in weak]
    units += [planted.null(Noise.draw(rng, 0.33)) for _ in range(N_NULL)]
    tags = [c for c in language.concepts if c.field in ("tag", "subtag")]
    parents = [c for c in tags if c.field == "tag" and (language.parent == c.low).sum() > 1]
    for _ in range(N_DECOYS):
        units.append(planted.word_decoy(language, tags[rng.integers(len(tags))], Noise.draw(rng), rng))
        units.append(planted.place_decoy("position", Noise.draw(rng), rng))
        units.append(planted.place_decoy("length", Noise.draw(rng), rng))
        parent = parents[rng.integers(len(parents))]
        units.append(planted.detector(parent, float(rng.uniform(1, 3)), Noise.draw(rng), "nested"))
    return units


def study_of(n_units: int) -> Study:
    return Study("planted", "", "planted", "", (Layer("planted", n_units, "source"),), (), ())


def examine(world: World, seed: int, tally: Tally) -> None:
    """Plant, score and judge one corpus."""
    language = world.language
    rng = np.random.default_rng([seed, 5])
    sizes = np.exp(rng.uniform(np.log(20), np.log(200), 9)).astype(int).tolist()
    corpus = language.corpus(DOCUMENTS[seed % len(DOCUMENTS)], seed).with_marks([*sizes, *[WEAK_SITES] * N_WEAK], seed)
    concepts = [*language.concepts, *corpus.mark_concepts]
    table = corpus.table(concepts)
    frame = make_frame(corpus.sites, corpus.groups, table, np.ones(corpus.n_sites, np.bool_), seed)
    units = plant(language, corpus, concepts, frame.eligible, seed)
    values = planted.activations(units, corpus, seed)
    arrays = score(frame, (), to_keys(values), np.ones(len(units), np.float32))
    arrays |= {"layer": np.zeros(len(units), np.int32), "unit": np.arange(len(units), dtype=np.int32)}
    tests = test_table(study_of(len(units)), {"source": frame}, (), arrays)
    matches = find_matches(tests, (), {"planted": np.nan})
    by_name = {concept.name: concept for concept in concepts}
    judge(world, units, by_name, tests, matches, tally)


def judge(world: World, units: list[Unit], by_name: dict[str, Concept], tests, matches, tally: Tally) -> None:
    pairs = [(units[u], by_name[c]) for u, c in zip(matches["unit"].tolist(), matches["concept"].tolist())]
    true = np.array([planted.related(*pair) for pair in pairs], np.bool_)
    tally.false_shares.append(float((~true).mean()) if len(true) else 0.0)
    kinds = np.array([unit.kind for unit in units])
    alone = {name: column[kinds[tests["unit"]] == "null"] for name, column in tests.items()}
    tally.null_shares.append(float(len(find_matches(alone, (), {"planted": np.nan})["unit"]) > 0))
    for i, (unit, concept) in enumerate(pairs):
        tally.add("false", f"{unit.kind} {'x' if not unit.concept else unit.concept.partition(':')[0]} -> {concept.name.partition(':')[0]} slot{matches['slot'][i]}", not true[i])
    _recovered(units, by_name, tests, matches, tally)
    _covered(world, pairs, true, matches, "reported", tally)
    own = [i for i, (u, c) in enumerate(zip(tests["unit"].tolist(), tests["concept"].tolist())) if units[u].concept == c and units[u].kind in ("detector", "nested")]
    rows = {name: column[own] for name, column in tests.items()} | {"score": tests["auroc"][own]}
    tested = [(units[u], by_name[c]) for u, c in zip(rows["unit"].tolist(), rows["concept"].tolist())]
    _covered(world, tested, np.ones(len(tested), np.bool_), rows, "tested", tally)


def _recovered(units, by_name, tests, matches, tally: Tally) -> None:
    first = {u: c for u, c, s in zip(matches["unit"].tolist(), matches["concept"].tolist(), matches["slot"].tolist()) if s == 1}
    reported = set(zip(matches["unit"].tolist(), matches["concept"].tolist()))
    contextual = defaultdict(list)
    for u, c, k in zip(matches["unit"].tolist(), matches["concept"].tolist(), matches["kind"].tolist()):
        contextual[u].append((c, k == "contextual"))
    for u, unit in enumerate(units):
        category = unit.concept.partition(":")[0]
        if unit.kind == "detector" and unit.separation == STRONG:
            tally.add("recall", f"{category}", first.get(u) == unit.concept)
            tally.add("recall noise", f"{unit.noise.shape}", first.get(u) == unit.concept)
            if category in ("tag", "subtag", "mark"):
                tally.add("contextual", category, (unit.concept, True) in contextual[u])
        elif unit.kind == "detector" and 0.74 < unit.separation < 0.745:
            tally.add("power", "bursty" if int(unit.concept[5:])%2 else "even", (u, unit.concept) in reported)
            tally.add("power chosen", "bursty" if int(unit.concept[5:])%2 else "even", unit.concept in [c for x,c in zip(tests["unit"].tolist(),tests["concept"].tolist()) if x==u])
        elif unit.kind in DECOYS:
            for name, is_contextual in contextual[u]:
                if unit.kind != "nested":
                    tally.add("decoy matches", unit.kind, is_contextual)
                elif name.startswith(f"subtag:{unit.concept.partition(':')[2]}."):
                    tally.add("decoy matches", unit.kind, is_contextual)
            wrong = [name for name, k in contextual[u] if k and (unit.kind != "nested" or name.startswith(f"subtag:{unit.concept.partition(':')[2]}."))]
            tally.add("decoy", unit.kind, bool(wrong))
            names = [name for name, _ in contextual[u]]
            if unit.kind == "nested":
                tally.add("decoy", "nested instead", bool(wrong) and (unit.concept not in names or names.index(wrong[0]) < names.index(unit.concept)))
            f = first.get(u)
            tally.add("decoy first", unit.kind, f in wrong)


def _covered(world: World, pairs, use, rows, table: str, tally: Tally) -> None:
    for i, (unit, concept) in enumerate(pairs):
        low, high = float(rows["low"][i]), float(rows["high"][i])
        if not use[i] or np.isnan(low):
            continue
        truth = world.population.auroc(unit, concept)
        truth = truth if rows["sign"][i] > 0 else 1 - truth
        tally.add(table, f"{unit.kind} {unit.concept.partition(':')[0]} -> {concept.name.partition(':')[0]}", low <= truth <= high)
        tally.add(table + "-below", f"{unit.kind} -> {concept.name.partition(':')[0]}", truth < low)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    n, first = (lambda a: (a.corpora, a.first))(parser.parse_args())
    worlds: dict[int, World] = {}
    tally = Tally()
    start = time.perf_counter()
    for seed in range(first, first + n):
        world = worlds.setdefault(seed % N_LANGUAGES, None) or World.draw(seed % N_LANGUAGES)
        worlds[seed % N_LANGUAGES] = world
        examine(world, seed, tally)
    for (table, family), (successes, cases) in sorted(tally.hits.items()):
        print(f"{table:16} {family:34} {successes:6} / {cases:6} = {successes / cases:.3f}")
    for name, shares in (("fdr", tally.false_shares), ("fdr of noise alone", tally.null_shares)):
        print(f"{name}: {np.mean(shares):.4f} +- {np.std(shares) / np.sqrt(len(shares)):.4f}")
    print(f"{(time.perf_counter() - start) / n:.2f} s a corpus")
    return 0


if __name__ == "__main__":
    sys.exit(main())
