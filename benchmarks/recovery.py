"""Does the study find what was planted, and nothing else? Recovery, false discoveries, coverage and decoys.

Each corpus is of one of ten made-up languages and has detectors of known separation, units of nothing but noise, and
decoys that know only words, position, length or a parent tag. The study's own functions choose, test and judge; the
planted truth says what is false. See `unitscope.planted`. The last line is one JSON object:

recall    detectors with separation 2 whose concept is the unit's first reported one
fdr       reported matches whose unit and concept are unrelated, mean share of a corpus; `noise` is the share of
          corpora where, of the units of noise alone, any is reported
coverage  95 % intervals of held-out AUROC that hold the true value: of all tested pairs of a detector and its own
          concept, and of all true matches
power     detectors with true AUROC .7 whose concept has 200 sites and is reported; `clustered`: sites in a fifth
          of the documents
decoys    decoys with any match called contextual that is not: any at all, for `nested` any of a sub-tag
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_name] = "1"

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from unitscope import planted
from unitscope.arrays import to_keys
from unitscope.models.base import Layer
from unitscope.planted import Concept, Language, Noise, PlantedCorpus, Population, Unit
from unitscope.study.assemble import test_table
from unitscope.study.frame import make_frame
from unitscope.study.plan import Study
from unitscope.study.unitpass import score
from unitscope.study.verdicts import find_matches

Table = dict[str, Any]

N_LANGUAGES, POPULATION, DOCUMENTS = 10, 4000, (60, 90, 120)
N_STRONG, N_OTHER, N_NULL, N_DECOYS = 24, 16, 60, 8
N_RARE, RARE, N_WEAK, WEAK_SITES, CLUSTERED = 6, (20, 200), 2, 200, 0.2
STRONG, OTHERS, WEAK = 2.0, (0.75, 1.0, 1.5, 3.0), float(np.sqrt(2) * ndtri(0.7))
DECOYS = ("word", "position", "length", "nested")
BAR = {"planted": float("nan")}
MUST = {"recall": 0.95, "fdr": 0.05, "fdr_noise": 0.05, "coverage": 0.92, "decoys": 0.05, "power": 0.9}
AIM = {"recall": 0.98, "fdr": 0.03, "fdr_noise": 0.05, "coverage": 0.94, "decoys": 0.02, "power": 0.95}


@dataclass
class Tally:
    """Successes and cases by row (a family of units) and column of the table; shares of false matches by corpus."""

    counts: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    false_share: list[float] = field(default_factory=list)
    noise_found: list[float] = field(default_factory=list)

    def add(self, rows: list[str], column: str, success: bool) -> None:
        """Count a case in some rows."""
        for row in rows:
            self.counts[row, column][0] += int(success)
            self.counts[row, column][1] += 1

    def rate(self, row: str, column: str) -> float:
        """Share of successes; NaN without a case."""
        successes, cases = self.counts.get((row, column), (0, 0))
        return successes / cases if cases else float("nan")


@dataclass(frozen=True)
class Scene:
    """One corpus with its units and what the study says of them."""

    units: list[Unit]
    concepts: dict[str, Concept]
    tests: Table
    matches: Table


def plant(language: Language, corpus: PlantedCorpus, usable: list[Concept], seed: int) -> list[Unit]:
    """Units of one corpus: detectors of concepts that can be tested, noise, decoys."""
    rng = np.random.default_rng([seed, 4])
    units = [planted.detector(usable[i], STRONG, Noise.draw(rng)) for i in rng.integers(0, len(usable), N_STRONG)]
    units += [
        planted.detector(usable[i], float(rng.choice(OTHERS)), Noise.draw(rng))
        for i in rng.integers(0, len(usable), N_OTHER)
    ]
    weak = corpus.mark_concepts[2 * N_RARE :]
    units += [planted.detector(concept, WEAK, replace(Noise.draw(rng), shape="gaussian")) for concept in weak]
    units += [planted.null(Noise.draw(rng, 1 / 3)) for _ in range(N_NULL)]
    tags = [concept for concept in language.concepts if concept.field in ("tag", "subtag")]
    parents = [c for c in tags if c.field == "tag" and (language.parent == c.low).sum() > 1]
    for _ in range(N_DECOYS):
        units.append(planted.word_decoy(language, tags[rng.integers(len(tags))], Noise.draw(rng), rng))
        units.append(planted.place_decoy("position", Noise.draw(rng), rng))
        units.append(planted.place_decoy("length", Noise.draw(rng), rng))
        parent = parents[rng.integers(len(parents))]
        units.append(planted.detector(parent, float(rng.uniform(1, 3)), Noise.draw(rng), "nested"))
    return units


def examine(language: Language, seed: int) -> Scene:
    """Plant, score and judge one corpus."""
    low, high = np.log(RARE)
    sizes = np.exp(np.random.default_rng([seed, 5]).uniform(low, high, 2 * N_RARE)).astype(int).tolist()
    corpus = language.corpus(DOCUMENTS[seed % len(DOCUMENTS)], seed)
    corpus = corpus.with_marks(sizes[:N_RARE], seed).with_marks(sizes[N_RARE:], seed, CLUSTERED)
    corpus = corpus.with_marks([WEAK_SITES] * N_WEAK, seed).with_marks([WEAK_SITES] * N_WEAK, seed, CLUSTERED)
    concepts = [*language.concepts, *corpus.mark_concepts]
    everywhere = np.ones(corpus.n_sites, np.bool_)
    frame = make_frame(corpus.sites, corpus.groups, corpus.table(concepts), everywhere, seed)
    usable = [concept for concept, eligible in zip(concepts, frame.eligible.tolist()) if eligible]
    units = plant(language, corpus, usable, seed)
    arrays = score(frame, (), to_keys(planted.activations(units, corpus, seed)), np.ones(len(units), np.float32))
    arrays |= {"layer": np.zeros(len(units), np.int32), "unit": np.arange(len(units), dtype=np.int32)}
    study = Study("planted", "", "planted", "", (Layer("planted", len(units), "source"),), (), ())
    tests = test_table(study, {"source": frame}, (), arrays)
    return Scene(units, {c.name: c for c in concepts}, tests, find_matches(tests, (), BAR))


def families(unit: Unit) -> list[str]:
    """Rows of the table that a unit counts in."""
    if unit.kind in ("null", *DECOYS):
        return [unit.kind]
    if unit.separation == WEAK:
        spread = int(unit.concept.partition(":")[2]) < 2 * N_RARE + N_WEAK
        return ["AUROC .7" if spread else "AUROC .7 clustered"]
    if unit.separation != STRONG:
        return [f"separation {unit.separation}"]
    return ["separation 2", f"separation 2, {unit.concept.partition(':')[0]}", f"separation 2, {unit.noise.shape}"]


def tally_discoveries(scene: Scene, tally: Tally) -> NDArray[np.bool_]:
    """Count false matches; which matches are true."""
    matches = scene.matches
    pairs = zip(matches["unit"].tolist(), matches["concept"].tolist())
    true = np.array([planted.related(scene.units[u], scene.concepts[c]) for u, c in pairs], np.bool_)
    tally.false_share.append(float((~true).mean()) if len(true) else 0.0)
    noise = np.array([unit.kind == "null" for unit in scene.units])[scene.tests["unit"]]
    alone = {name: column[noise] for name, column in scene.tests.items()}
    tally.noise_found.append(float(len(find_matches(alone, (), BAR)["unit"]) > 0))
    for u, is_true in zip(matches["unit"].tolist(), true.tolist()):
        tally.add([*families(scene.units[u]), "all"], "false", not is_true)
    return true


def tally_units(scene: Scene, tally: Tally) -> None:
    """Count units that are reported, reported with their own concept, and called contextual."""
    found: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    columns = (scene.matches[name].tolist() for name in ("unit", "concept", "kind"))
    for u, concept, kind in zip(*columns):
        found[u].append((concept, kind == "contextual"))
    for u, unit in enumerate(scene.units):
        rows, here = families(unit), found[u]
        tally.add(rows, "reported", bool(here))
        if unit.kind in ("detector", "nested"):
            tally.add(rows, "first", here[:1] != [] and here[0][0] == unit.concept)
            tally.add(rows, "own", unit.concept in [concept for concept, _ in here])
        if unit.kind == "detector":
            tally.add(rows, "contextual", (unit.concept, True) in here)
        elif unit.kind == "nested":
            children = f"subtag:{unit.concept.partition(':')[2]}."
            tally.add(rows, "contextual", any(yes for concept, yes in here if concept.startswith(children)))
        else:
            tally.add(rows, "contextual", any(yes for _, yes in here))


def tally_coverage(scene: Scene, true: NDArray[np.bool_], population: Population, tally: Tally) -> None:
    """Count intervals that hold the true AUROC: of detectors' own pairs, if tested, and of true matches."""
    tests, matches = scene.tests, scene.matches
    pairs = zip(tests["unit"].tolist(), tests["concept"].tolist())
    own = np.array([scene.units[u].concept == c and scene.units[u].kind != "word" for u, c in pairs], np.bool_)
    for column, table, use in (("tested", tests, own), ("matches", matches, true)):
        for i in np.flatnonzero(use & ~np.isnan(table["low"])).tolist():
            unit = scene.units[int(table["unit"][i])]
            truth = population.auroc(unit, scene.concepts[table["concept"][i]])
            truth = truth if table["sign"][i] > 0 else 1 - truth
            tally.add([*families(unit), "all"], column, bool(table["low"][i] <= truth <= table["high"][i]))


def show(tally: Tally) -> None:
    """The table by family."""
    columns = ("reported", "first", "own", "contextual", "false", "tested", "matches")
    print(f"{'':28}{'units':>7}" + "".join(f"{column:>11}" for column in columns))
    for row in sorted({row for row, _ in tally.counts}):
        n = tally.counts[row, "reported"][1] if (row, "reported") in tally.counts else 0
        rates = (tally.rate(row, column) for column in columns)
        print(f"{row:28}{n:7}" + "".join(f"{'' if np.isnan(rate) else format(rate, '.3f'):>11}" for rate in rates))
    print("first, own: the planted concept is the first reported one, or among them; false: share of matches;")
    print("tested, matches: coverage of intervals of tested own pairs, and of true matches")


def judge(tally: Tally) -> tuple[dict[str, Any], list[str]]:
    """Figures, and which of them miss what they must reach."""

    def of_shares(shares: list[float]) -> dict[str, float]:
        return {"mean": float(np.mean(shares)), "se": float(np.std(shares) / np.sqrt(len(shares)))}

    figures: dict[str, Any] = {
        "recall": tally.rate("separation 2", "first"),
        "fdr": of_shares(tally.false_share),
        "fdr_noise": of_shares(tally.noise_found),
        "coverage": {name: tally.rate("all", name) for name in ("tested", "matches")},
        "decoys": {name: tally.rate(name, "contextual") for name in DECOYS},
        "power": tally.rate("AUROC .7", "own"),
        "power_clustered": tally.rate("AUROC .7 clustered", "own"),
    }
    missed = [name for name in ("recall", "power") if not figures[name] >= MUST[name]]
    missed += [name for name in ("fdr", "fdr_noise") if figures[name]["mean"] > MUST[name] + 2 * figures[name]["se"]]
    missed += ["coverage"] if not min(figures["coverage"].values()) >= MUST["coverage"] else []
    missed += ["decoys"] if not max(figures["decoys"].values()) <= MUST["decoys"] else []
    return figures, missed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=int, default=200)
    n_corpora = parser.parse_args().corpora
    tally = Tally()
    started = time.perf_counter()
    for number in range(min(N_LANGUAGES, n_corpora)):
        language = Language.draw(number)
        population = Population(language.corpus(POPULATION, 1_000_000 + number))
        for seed in range(number, n_corpora, N_LANGUAGES):
            scene = examine(language, seed)
            true = tally_discoveries(scene, tally)
            tally_units(scene, tally)
            tally_coverage(scene, true, population, tally)
    show(tally)
    figures, missed = judge(tally)
    print(f"{n_corpora} corpora in {time.perf_counter() - started:.0f} s; missed: {', '.join(missed) or 'nothing'}")
    rounded = json.loads(json.dumps(figures), parse_float=lambda text: round(float(text), 4))
    print(json.dumps({**rounded, "corpora": n_corpora, "must": MUST, "aim": AIM}))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
