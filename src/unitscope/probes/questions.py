"""What a probe is asked to read: the classes of a category, one concept, or a number, at each site.

A *spec* names a category of concepts that exclude each other (`upos`), a feature with several values (`Tense`, or
`feats:Tense`), one concept (`feats:Number=Plur`: does it hold or not), or a number (`covariate:position`). Classes
that one of the two splits lacks cannot be learnt or judged there: they are left out, and it is said which.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError, ProbeError, closest
from unitscope.probes.base import UNLABELLED, Labels, Targets
from unitscope.study.prepare import Sites

COVARIATE = "covariate:"
LEAST_SITES = 5


def _log_frequency(sites: Sites) -> NDArray[np.float64]:
    return np.log10(np.bincount(sites.form)[sites.form].astype(np.float64)) if len(sites.form) else np.zeros(0)


COVARIATES: Mapping[str, Callable[[Sites], NDArray[np.float64]]] = {
    "position": lambda sites: sites.position.astype(np.float64),
    "length": lambda sites: sites.length.astype(np.float64),
    "frequency": _log_frequency,
}
"""Numbers of each site: place in its item from 0, sites in the item, log10 of how often its form occurs."""


@dataclass(frozen=True)
class Question:
    """What is read at each site: `asked` [S], and why sites or classes were left out, in sentences (`notes`)."""

    spec: str
    asked: Labels | Targets
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, or of the number."""
        return self.asked.names if isinstance(self.asked, Labels) else (self.asked.name,)

    @property
    def is_number(self) -> bool:
        """Whether a number is asked for instead of a class."""
        return isinstance(self.asked, Targets)


def question_of(table: ConceptTable, sites: Sites, spec: str) -> Question:
    """What a spec asks of sites. Raises ConceptError, with near misses, for one that names nothing here."""
    if spec.startswith(COVARIATE):
        name = spec.removeprefix(COVARIATE)
        if name not in COVARIATES:
            known = [f"{COVARIATE}{each}" for each in COVARIATES]
            raise ConceptError(f"Unknown number '{spec}'.", expected=f"one of {', '.join(known)}")
        return Question(spec, Targets(spec, COVARIATES[name](sites)))
    values = _values_of(table, spec)
    if values:
        return Question(spec, _labels(table, values))
    if spec in table.categories:
        try:
            return Question(spec, Labels.of_category(table, spec))
        except ProbeError as error:
            raise ProbeError(error.got, expected=error.expected, fix=_fix(table, spec)) from error
    if spec in table.names:
        return Question(spec, Labels.of_concept(table, spec))
    raise _unknown(table, spec)


def kept_classes(question: Question, train: NDArray[np.bool_], held: NDArray[np.bool_], least: int) -> Question:
    """The question without classes that have fewer than `least` sites in the training or the evaluation sites.

    Both masks are over the question's sites. Raises ProbeError where fewer than two classes are left, and for a number
    that is the same at all training sites.
    """
    asked = question.asked
    if isinstance(asked, Targets):
        spread = asked.values[train & asked.labelled]
        if not len(spread) or np.ptp(spread) == 0:
            raise ProbeError(
                f"'{question.spec}' is the same number at all training sites.", expected="numbers that differ"
            )
        return question
    counts = [asked.select_sites(mask).counts() for mask in (train, held)]
    keep = (counts[0] >= least) & (counts[1] >= least)
    notes = [
        f"'{name}' is left out: {_of(int(a), 'training')} and {_of(int(b), 'evaluation')}, and {least} of each are "
        "needed."
        for name, a, b, kept in zip(asked.names, *counts, keep, strict=True)
        if not kept
    ]
    if keep.sum() < 2:
        left = ", ".join(name for name, kept in zip(asked.names, keep, strict=True) if kept) or "none"
        raise ProbeError(
            f"'{question.spec}' has {int(keep.sum())} class(es) with {least} sites or more in both splits ({left}).",
            expected="two classes or more",
            fix="Give a larger corpus, or other concepts.",
        )
    number = np.full(asked.n_classes + 1, UNLABELLED, np.int32)
    number[:-1][keep] = np.arange(keep.sum(), dtype=np.int32)
    names = tuple(name for name, kept in zip(asked.names, keep, strict=True) if kept)
    return replace(question, asked=Labels(names, number[asked.of_site]), notes=(*question.notes, *notes))


def aligned(question: Question, names: tuple[str, ...]) -> Question:
    """The question with its classes in the order of `names`; what is not among them has no label."""
    if isinstance(question.asked, Targets):
        return question
    index = {name: i for i, name in enumerate(names)}
    number = np.array([*(index.get(name, UNLABELLED) for name in question.asked.names), UNLABELLED], np.int32)
    return replace(question, asked=Labels(names, number[question.asked.of_site]))


def _values_of(table: ConceptTable, spec: str) -> list[int]:
    """Concepts that are values of a feature: `Tense` or `feats:Tense` of `feats:Tense=Past`; two or more."""
    found = [
        concept
        for concept, name in enumerate(table.names)
        if "=" in name and spec in (feature := name.partition("=")[0], feature.partition(":")[2])
    ]
    return found if len({table.categories[concept] for concept in found}) == 1 and len(found) > 1 else []


def _labels(table: ConceptTable, concepts: list[int]) -> Labels:
    of_site = np.full(table.n_sites, UNLABELLED, np.int32)
    for index, concept in enumerate(concepts):
        sites = table.sites_of(concept)
        # Some annotations give two values to a site; that is no class of its own, and neither value is right.
        of_site[sites] = np.where(of_site[sites] == UNLABELLED, index, -2)
    of_site[of_site == -2] = UNLABELLED
    return Labels(tuple(table.names[concept] for concept in concepts), of_site)


def _features(table: ConceptTable, category: str | None = None) -> list[str]:
    named = zip(table.names, table.categories, strict=True)
    found = {n.partition("=")[0].partition(":")[2] for n, of in named if "=" in n and category in (None, of)}
    return sorted(feature for feature in found if _values_of(table, feature))


def _fix(table: ConceptTable, category: str) -> str:
    features = _features(table, category)
    if features:
        return f"Probe one feature at a time: {', '.join(features[:8])}."
    example = table.names[table.categories.index(category)]
    return f"Probe one concept at a time, such as '{example}'."


def _unknown(table: ConceptTable, spec: str) -> ConceptError:
    categories = list(dict.fromkeys(table.categories))
    known = [*categories, *_features(table), *(f"{COVARIATE}{name}" for name in COVARIATES), *table.names]
    return ConceptError(
        f"Nothing is called '{spec}' here.",
        expected=f"a category ({', '.join(categories)}), a feature, a concept, or {COVARIATE}{'|'.join(COVARIATES)}",
        fix=closest(spec, known),
    )


def _of(count: int, split: str) -> str:
    return f"{count} {split} site{'' if count == 1 else 's'}"
