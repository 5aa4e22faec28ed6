"""Planted truth: corpora and activations of which it is known what every unit responds to.

A `Language` has tags that follow one another, sub-tags nested in them, and words that go with tags and topics; many
words are ambiguous. It makes corpora of documents, and *planted units* over them: a unit's value at a site is a signal,
a function of exactly one thing about the site (its tag, word, position, ...), plus noise that drifts within
documents and sentences, has heavy tails, or is cut off below like a rectifier's output. So which units and concepts are
related is known, and so is every AUROC. Besides detectors of concepts there are units of nothing but noise, and
decoys: units that know only words, position or length and so look like detectors of tags, and detectors of a
tag that look like detectors of its sub-tags. What finds units should find the first and not be taken in by the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from unitscope.arrays import kernel
from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError
from unitscope.study.prepare import Sites

Shape = Literal["gaussian", "heavy", "rectified"]
SHAPES: tuple[Shape, ...] = ("gaussian", "heavy", "rectified")
Kind = Literal["detector", "null", "word", "position", "length", "nested"]

N_CHILDREN = (3, 3, 2, 2, 1, 1, 1)
"""Sub-tags of each tag; the last tag is the one sentences like to end with."""
N_FORMS, N_TOPICS, N_WORDS, SHORTEST, LONGEST = 500, 5, 15, 5, 20
FIRST_RANK, TOPICALITY, FINISHES = 2.0, 0.8, 0.6
SECOND, THIRD, SIBLINGS = 0.8, 0.2, 0.4
TAIL, CUT, POINTS = 0.2, 0.5, 800
"""Tukey's h of heavy noise; where rectified values set in, in standard deviations; points of the quadrature."""

_TEXT = frozenset({"tag", "subtag", "form", "position", "place_from_end", "length"})
_FIELDS = _TEXT | {"topic"}


@dataclass(frozen=True)
class Concept:
    """A concept that holds where `low <= corpus.field(field) <= high`."""

    name: str
    field: str
    low: int
    high: int


@dataclass(frozen=True)
class Noise:
    """Noise of variance 1 before shaping, of which documents, sentences and a drift make up shares; the rest is white.

    `memory` is the drift's correlation from one site of a document to the next. `heavy` noise has Tukey's h tails
    (standard deviation 1); `rectified` values, signal and noise together, are zero below half a standard deviation.
    """

    document: float = 0.0
    sentence: float = 0.0
    drift: float = 0.0
    memory: float = 0.0
    shape: Shape = "gaussian"

    @classmethod
    def draw(cls, rng: np.random.Generator, most: float = 0.3) -> Noise:
        """Noise of any shape whose components are independent shares of up to `most` each (0 to 1/3)."""
        document, sentence, drift = (rng.uniform(0, most, 3) * (rng.random(3) < 2 / 3)).tolist()
        return cls(document, sentence, drift, float(rng.uniform(0.3, 0.95)), SHAPES[rng.integers(3)])

    def apply(self, signal: NDArray[np.float64], noise: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signal plus normal noise given its shape; the arguments broadcast."""
        if self.shape == "heavy":
            return np.asarray(signal + noise * np.exp(TAIL / 2 * noise**2) * (1 - 2 * TAIL) ** 0.75)
        if self.shape == "rectified":
            return np.asarray(np.maximum(signal + noise - CUT, 0.0))
        return np.asarray(signal + noise)


@dataclass(frozen=True)
class Unit:
    """A planted unit: its signal at a site is `values[corpus.field(field)]`. Units of kind `null` have no field.

    `concept` is the concept that a detector detects or that a word decoy is like; for a `nested` decoy the tag whose
    sub-tags it might be taken for. `separation` is a detector's, in standard deviations of the noise.
    """

    kind: Kind
    concept: str
    field: str
    values: NDArray[np.float64]
    noise: Noise
    separation: float = 0.0


@dataclass(frozen=True)
class PlantedCorpus:
    """Sites of a made-up corpus, each array [S]: sentence (item), document, position, length, tags, form and topic.

    `marks` are concepts at random sites, unrelated to everything else, each boolean [S].
    """

    item: NDArray[np.int32]
    document: NDArray[np.int32]
    position: NDArray[np.int32]
    length: NDArray[np.int32]
    tag: NDArray[np.int32]
    subtag: NDArray[np.int32]
    form: NDArray[np.int32]
    topic: NDArray[np.int32]
    marks: Mapping[str, NDArray[np.bool_]] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def n_sites(self) -> int:
        """Number of sites, S."""
        return len(self.item)

    def field(self, name: str) -> NDArray[np.int32]:
        """What a concept or unit may depend on, as whole numbers from 0, [S].

        Raises ConceptError for a name that is none of the corpus's fields or marks.
        """
        if name in self.marks:
            return self.marks[name].astype(np.int32)
        if name not in _FIELDS:
            known = ", ".join(sorted({*_FIELDS, *self.marks}))
            raise ConceptError(
                f"No field '{name}' in the planted corpus.", expected=known, fix="Add marks: with_marks."
            )
        if name == "place_from_end":
            return self.length - 1 - self.position
        return np.asarray(getattr(self, name), np.int32)

    def mask(self, concept: Concept) -> NDArray[np.bool_]:
        """Where a concept holds, [S]."""
        values = self.field(concept.field)
        return (values >= concept.low) & (values <= concept.high)

    def with_marks(self, sizes: Sequence[int], seed: int, share: float = 1.0) -> PlantedCorpus:
        """With further marks `mark:0`, `mark:1`, ... of the given numbers of sites, in a share of the documents."""
        rng = np.random.default_rng([seed, 2, len(self.marks)])
        marks = dict(self.marks)
        n_documents = int(self.document.max()) + 1
        for size in sizes:
            chosen = rng.permutation(n_documents)[: max(1, round(share * n_documents))]
            among = np.flatnonzero(np.isin(self.document, chosen))
            mask = np.zeros(self.n_sites, np.bool_)
            mask[rng.choice(among, min(size, len(among)), replace=False)] = True
            marks[f"mark:{len(marks)}"] = mask
        return replace(self, marks=MappingProxyType(marks))

    @property
    def mark_concepts(self) -> list[Concept]:
        """The marks as concepts."""
        return [Concept(name, name, 1, 1) for name in self.marks]

    @property
    def sites(self) -> Sites:
        """Sites as a study sees them."""
        return Sites(self.item, self.position, self.length, self.form)

    @property
    def groups(self) -> list[str]:
        """Document of every item."""
        first = np.flatnonzero(np.diff(self.item, prepend=-1))
        return [f"document {document}" for document in self.document[first].tolist()]

    def table(self, concepts: Sequence[Concept]) -> ConceptTable:
        """Table of concepts over the corpus's sites, all known everywhere."""
        parts = [np.flatnonzero(self.mask(concept)).astype(np.int32) for concept in concepts]
        return ConceptTable(
            names=tuple(concept.name for concept in concepts),
            categories=tuple(concept.name.partition(":")[0] for concept in concepts),
            indptr=np.cumsum([0, *map(len, parts)]).astype(np.int64),
            sites=np.concatenate(parts) if parts else np.zeros(0, np.int32),
            n_sites=self.n_sites,
        )


@dataclass(frozen=True)
class Language:
    """A language of T sub-tags and V forms: probabilities of what comes next.

    `start` [T] and `finish` [T] of a sentence's first sub-tag and (six times in ten) its last, `follow` [T, T] of a
    sub-tag after another, `emit` [topics, T, V] of a form given topic and sub-tag; `parent` [T] is each sub-tag's tag.
    """

    start: NDArray[np.float64]
    finish: NDArray[np.float64]
    follow: NDArray[np.float64]
    emit: NDArray[np.float64]
    parent: NDArray[np.int32]

    @classmethod
    def draw(cls, seed: int) -> Language:
        """A random language."""
        rng = np.random.default_rng([seed, 0])
        parent = np.repeat(np.arange(len(N_CHILDREN), dtype=np.int32), N_CHILDREN)
        n = len(parent)
        start, follow = rng.dirichlet(np.full(n, 0.4)), rng.dirichlet(np.full(n, 0.5), n)
        finish = np.where(parent == len(N_CHILDREN) - 1, 0.9, 0.1 / n)
        # Most forms have a second sub-tag, often one of the same tag, and some a third; frequent forms like others.
        affinity = np.zeros((n, N_FORMS))
        for form in range(N_FORMS):
            first, second, third = form % n, *rng.integers(0, n, 2)
            if rng.random() < SIBLINGS:
                second = rng.choice(np.flatnonzero(parent == parent[first]))
            k = 1 + int(rng.random() < SECOND) + int(rng.random() < THIRD)
            np.add.at(affinity[:, form], [first, second, third][:k], rng.dirichlet(np.full(k, 1.5)))
        emit = affinity / (FIRST_RANK + np.arange(N_FORMS) // n * n)
        emit = emit * np.exp(TOPICALITY * rng.standard_normal((N_TOPICS, 1, N_FORMS)))
        return cls(start, finish / finish.sum(), follow, emit / emit.sum(axis=2, keepdims=True), parent)

    def corpus(self, n_documents: int, seed: int) -> PlantedCorpus:
        """Documents of 4 to 12 sentences of 5 to 20 words; each has a topic and likes long or short sentences."""
        rng = np.random.default_rng([seed, 1])
        sentences = rng.integers(4, 13, n_documents)
        liking, topic = rng.beta(3, 3, n_documents), rng.integers(0, N_TOPICS, n_documents, np.int32)
        document = np.repeat(np.arange(n_documents, dtype=np.int32), sentences)
        length = (SHORTEST + rng.binomial(LONGEST - SHORTEST, liking[document])).astype(np.int32)
        subtag = self._tags(length, rng)
        item, position = (part.astype(np.int32) for part in np.nonzero(np.arange(LONGEST) < length[:, None]))
        subtag, document = subtag[item, position], document[item]
        row = topic[document] * len(self.parent) + subtag
        bounds = np.cumsum(self.emit, axis=2).reshape(-1, N_FORMS)
        bounds[:, -1] = 1.0
        ladder = (bounds + np.arange(len(bounds))[:, None]).reshape(-1)
        form = np.searchsorted(ladder, row + rng.random(len(row)), side="right") - row * N_FORMS
        form = np.minimum(form, N_FORMS - 1).astype(np.int32)
        return PlantedCorpus(item, document, position, length[item], self.parent[subtag], subtag, form, topic[document])

    def _tags(self, length: NDArray[np.int32], rng: np.random.Generator) -> NDArray[np.int32]:
        """Sub-tags of sentences at every position, [n, longest]; those beyond the length mean nothing."""
        n_tags = len(self.parent)
        bounds = np.cumsum(np.concatenate([self.follow, [self.start, self.finish]]), axis=1)[:, :-1]
        found = np.zeros((len(length), LONGEST), np.int32)
        row = np.full(len(length), n_tags)
        for position in range(LONGEST):
            ends = (length - 1 == position) & (rng.random(len(length)) < FINISHES)
            row = np.where(ends, n_tags + 1, row)
            found[:, position] = row = (rng.random((len(length), 1)) > bounds[row]).sum(axis=1)
        return found

    @cached_property
    def usual(self) -> NDArray[np.float64]:
        """How often each sub-tag goes with each form far from a sentence's ends, a share of sites, [T, V]."""
        often = np.linalg.matrix_power(self.follow, 200).mean(axis=0)
        return np.asarray(often[:, None] * self.emit.mean(axis=0))

    @cached_property
    def concepts(self) -> tuple[Concept, ...]:
        """Tags, sub-tags (of tags with several), the most frequent words, bins of position and length, topics."""
        tags = [Concept(f"tag:{t}", "tag", t, t) for t in range(len(N_CHILDREN))]
        several = [t for t, parent in enumerate(self.parent.tolist()) if N_CHILDREN[parent] > 1]
        children = [Concept(f"subtag:{self.parent[t]}.{t}", "subtag", t, t) for t in several]
        frequent = np.argsort(-self.usual.sum(axis=0), kind="stable")[:N_WORDS]
        words = [Concept(f"words:w{form}", "form", form, form) for form in frequent.tolist()]
        bins = (("first", 0, 0), ("second", 1, 1), ("third", 2, 2), ("4-7", 3, 6), ("8-15", 7, 14), ("16+", 15, 99))
        places = [Concept(f"position:{name}", "position", low, high) for name, low, high in bins]
        places.append(Concept("position:last", "place_from_end", 0, 0))
        ends = ((5, 8), (9, 12), (13, 16), (17, 20))
        lengths = [Concept(f"covariates:length {low}-{high}", "length", low, high) for low, high in ends]
        topics = [Concept(f"topic:{t}", "topic", t, t) for t in range(N_TOPICS)]
        return (*tags, *children, *words, *places, *lengths, *topics)


def null(noise: Noise) -> Unit:
    """A unit that responds to nothing."""
    return Unit("null", "", "", np.zeros(1), noise)


def detector(concept: Concept, separation: float, noise: Noise, kind: Kind = "detector") -> Unit:
    """A unit raised by `separation` where the concept holds."""
    span = np.arange(max(concept.high + 1, N_FORMS))
    values = np.where((span >= concept.low) & (span <= concept.high), separation, 0.0)
    return Unit(kind, concept.name, concept.field, values, noise, separation)


def word_decoy(
    language: Language, concept: Concept, noise: Noise, rng: np.random.Generator, likeness: float = 0.7
) -> Unit:
    """A unit with a value for each form, whatever the context, correlated with the share of a tag or sub-tag in it."""
    tags = np.arange(len(language.parent)) if concept.field == "subtag" else language.parent
    share = language.usual[(tags >= concept.low) & (tags <= concept.high)].sum(axis=0) / language.usual.sum(axis=0)
    share = (share - share.mean()) / share.std()
    values = 1.5 * (likeness * share + np.sqrt(1 - likeness**2) * rng.standard_normal(N_FORMS))
    # Few levels keep true scores cheap to compute.
    values = np.asarray(np.round(np.clip(values, -4, 4) * 4) / 4, np.float64)
    return Unit("word", concept.name, "form", values, noise)


def place_decoy(kind: Literal["position", "length"], noise: Noise, rng: np.random.Generator) -> Unit:
    """A unit that decays, rises, swings, steps or varies freely with the position in the sentence or its length."""
    at = np.arange(LONGEST + 1, dtype=np.float64)
    curves = (
        np.exp(-at / rng.uniform(1, 6)),
        at / LONGEST,
        np.sin(at / rng.uniform(0.7, 3) + rng.uniform(0, 6)),
        np.asarray(at > rng.integers(0 if kind == "position" else SHORTEST, 14), np.float64),
        rng.standard_normal(len(at)),
    )
    curve = curves[rng.integers(len(curves))]
    spread = curve[0 if kind == "position" else SHORTEST :].std()
    return Unit(kind, "", kind, curve / spread * rng.choice([-1.0, 1.0]) * rng.uniform(0.7, 2), noise)


def activations(units: Sequence[Unit], corpus: PlantedCorpus, seed: int) -> NDArray[np.float16]:
    """Values of planted units at the sites of a corpus, [U, S]."""
    rng = np.random.default_rng([seed, 3])
    n_documents, n_items = int(corpus.document.max()) + 1, int(corpus.item.max()) + 1
    fresh = np.diff(corpus.document, prepend=-1) != 0
    found = np.empty((len(units), corpus.n_sites), np.float16)
    for u, unit in enumerate(units):
        noise = unit.noise
        total = np.sqrt(noise.document) * rng.standard_normal(n_documents)[corpus.document]
        total += np.sqrt(noise.sentence) * rng.standard_normal(n_items)[corpus.item]
        total += np.sqrt(noise.drift) * _drift(rng.standard_normal(corpus.n_sites), fresh, noise.memory)
        white = max(1 - noise.document - noise.sentence - noise.drift, 0.0)
        total += np.sqrt(white) * rng.standard_normal(corpus.n_sites)
        found[u] = noise.apply(unit.values[corpus.field(unit.field)] if unit.field else np.zeros(1), total)
    return found


@kernel
def _drift(steps: NDArray[np.float64], fresh: NDArray[np.bool_], memory: float) -> NDArray[np.float64]:
    """Autoregressive noise [S] of variance 1 that starts anew where `fresh`."""
    found = np.empty_like(steps)
    for s in range(steps.shape[0]):
        found[s] = steps[s] if fresh[s] else memory * found[s - 1] + np.sqrt(1 - memory * memory) * steps[s]
    return found


def related(unit: Unit, concept: Concept) -> bool:
    """Whether unit and concept are dependent: otherwise any match between them is false.

    Words depend on tags and topics; tags, position and length on each other; topics on nothing but words.
    """
    pair = {unit.field, concept.field}
    return len(pair) == 1 or pair <= _TEXT or pair == {"topic", "form"}


class Population:
    """True AUROCs of planted units, from a large corpus of the language for what concepts have in common."""

    def __init__(self, corpus: PlantedCorpus) -> None:
        self._corpus = corpus
        self._shares: dict[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    def auroc(self, unit: Unit, concept: Concept) -> float:
        """Probability that the unit is higher at a site with the concept than at an unrelated one without, ties half.

        In [0, 1]; over all corpora of the language, up to the finite population.

        >>> population = Population(Language.draw(0).corpus(200, 0))
        >>> tag = Language.draw(0).concepts[0]
        >>> round(population.auroc(detector(tag, 2.0, Noise()), tag), 4), population.auroc(null(Noise()), tag)
        (0.9214, 0.5)
        """
        if not related(unit, concept):
            return 0.5
        if unit.field == concept.field and unit.field not in _FIELDS:  # its own mark
            inside, outside = np.array([0.0, 1.0]), np.array([1.0, 0.0])
        else:
            inside, outside = self._share(unit.field, concept)
        levels, at = np.unique(unit.values[: len(inside)], return_inverse=True)
        above = np.bincount(at, inside, len(levels)) @ superiority(levels, unit.noise)
        return float(above @ np.bincount(at, outside, len(levels)))

    def _share(self, name: str, concept: Concept) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Distribution of a field over sites with and without a concept."""
        key = (name, concept.name)
        if key not in self._shares:
            values, mask = self._corpus.field(name), self._corpus.mask(concept)
            whole, inside = np.bincount(values), np.bincount(values[mask], minlength=int(values.max()) + 1)
            outside = whole - inside
            self._shares[key] = inside / max(inside.sum(), 1), outside / max(outside.sum(), 1)
        return self._shares[key]


def superiority(levels: NDArray[np.float64], noise: Noise) -> NDArray[np.float64]:
    """Probability that a value with signal `levels[i]` exceeds another with `levels[j]`, ties half, [L, L].

    >>> superiority(np.array([0.0, 1.0]), Noise()).round(3).tolist()
    [[0.5, 0.24], [0.76, 0.5]]
    """
    if noise.shape == "gaussian":
        return np.asarray(ndtr((levels[:, None] - levels[None, :]) / np.sqrt(2)))
    points = ndtri((np.arange(POINTS) + 0.5) / POINTS)
    other = noise.apply(levels[:, None], points[None, :])
    first = levels[:, None, None]
    if noise.shape == "rectified":
        exceeds = np.where(other == 0, 1 - ndtr(CUT - first) / 2, ndtr(first - CUT - other))
        return np.asarray(exceeds.mean(axis=2))
    grid = np.linspace(-8, 8, 4001)
    exceeds = ndtr(-np.interp(other - first, noise.apply(np.zeros(1), grid), grid))
    return np.asarray(exceeds.mean(axis=2))
