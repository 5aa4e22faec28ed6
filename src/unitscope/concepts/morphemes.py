"""Morphemes of a corpus without gold ones: its words cut by Morfessor, trained on its own vocabulary.

Morfessor Baseline finds the lexicon of morphs and the cuts that describe a list of words most briefly (minimum
description length): Creutz and Lagus 2007, *Unsupervised models for morpheme segmentation and morphology learning*, ACM
TSLP 4(1); the program is Virpioja, Smit, Grönroos and Kurimo 2013, *Morfessor 2.0*. Each form counts once, whatever
its frequency, which cuts more like a grammarian does (the former, section 5).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from unitscope.concepts.base import Annotation
from unitscope.concepts.covariates import form_counts
from unitscope.corpora.base import Corpus
from unitscope.errors import ConceptError
from unitscope.sites import Item

N_TRAINED = 10_000
"""Most forms that the segmenter learns from, the most frequent first; all others are cut by what it learned."""
MOST_EPOCHS = 4
"""Most rounds over the forms."""
LONGEST = 30
"""Longest form, in characters, that is cut; longer ones are mostly addresses and noise."""


@dataclass(frozen=True)
class MorphemeSource:
    """The morphs of each word, in lower case; a word that is not all letters has none.

    The segmenter is trained in one pass over the grid in all of `corpus`, at first use. `seed` is that of the order in
    which it sees the forms, `version` that of the program, on which the cuts depend. Raises ConceptError when the
    package is missing or no form has letters only.
    """

    min_sites: int = 20
    seed: int = 0
    n_trained: int = N_TRAINED
    version: str = field(default_factory=lambda: installed_version())
    corpus: Corpus | None = field(default=None, repr=False, compare=False)

    @property
    def category(self) -> str:
        """Always 'morphemes'."""
        return "morphemes"

    @cached_property
    def _morphs_of(self) -> dict[str, _Morphs]:
        return {}

    def annotate(self, item: Item, grid: str) -> Annotation:
        """The morphs of each word of the grid."""
        if grid not in self._morphs_of:
            self._morphs_of[grid] = _Morphs(self._trained(grid))
        return list(map(self._morphs_of[grid].__getitem__, item.grids[grid].words))

    def _trained(self, grid: str) -> Any:
        if self.corpus is None:
            raise ConceptError("The source of morphemes was given no corpus.", fix="MorphemeSource(corpus=...)")
        morfessor = _library()
        counts = form_counts(self.corpus, grid)
        forms = sorted((form for form in counts if _is_cut(form)), key=lambda form: (-counts[form], form))
        if not forms:
            raise ConceptError(f"No word of '{self.corpus.name}' is made of letters.", expected="words to cut")
        model = morfessor.BaselineModel()
        with _quiet_and_seeded(self.seed):
            model.load_data([(1, form) for form in sorted(forms[: self.n_trained])])
            model.train_batch(max_epochs=MOST_EPOCHS)
        return model


class _Morphs(dict[str, tuple[str, ...]]):
    """Morphs of each word, cut once."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, word: str) -> tuple[str, ...]:
        form = word.lower()
        morphs = tuple(dict.fromkeys(self._model.viterbi_segment(form)[0])) if _is_cut(form) else ()
        self[word] = morphs
        return morphs


def _is_cut(form: str) -> bool:
    return form.isalpha() and len(form) <= LONGEST


@contextmanager
def _quiet_and_seeded(seed: int) -> Iterator[None]:
    """Morfessor draws from Python's global generator and writes dots to stderr: neither is to be seen outside."""
    from morfessor import utils

    state, shown = random.getstate(), utils.show_progress_bar
    random.seed(seed)
    utils.show_progress_bar = False
    try:
        yield
    finally:
        random.setstate(state)
        utils.show_progress_bar = shown


def installed_version() -> str:
    """Version of Morfessor; empty where it is not installed."""
    try:
        return version("morfessor")
    except PackageNotFoundError:
        return ""


def _library() -> Any:
    try:
        import morfessor
    except ImportError as error:
        raise ConceptError(
            "'morphemes' of a corpus without gold ones need the package morfessor, which is not installed.",
            fix="pip install morfessor",
        ) from error
    return morfessor
