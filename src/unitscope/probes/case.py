"""What a probe run works on: which sites train and which judge, what each is asked, and their values on a variant.

Half A of the atlas' halves trains and half B judges; with a corpus of its own to judge on, all of the atlas' corpus
trains. Nothing that is chosen (penalty, order of units, number of units) ever sees the judging side.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.concepts.table import ConceptTable
from unitscope.errors import ConceptError, ProbeError
from unitscope.extraction import activations_of
from unitscope.probes.base import Labels
from unitscope.probes.questions import Question, aligned, kept_classes, question_of
from unitscope.probes.settings import ProbeSettings
from unitscope.probes.sides import Reading, Side, read_sides
from unitscope.sites import kind_of
from unitscope.study.prepare import Sites

if TYPE_CHECKING:
    from unitscope.atlas import Atlas
    from unitscope.corpora.base import Corpus
    from unitscope.models.base import Model

Tick = Callable[[str, int, int], None]
Both = tuple[Activations, Activations]


@dataclass(frozen=True, eq=False)
class Case:
    """A question about the sites of two sides. Masks are over all sites of `activations`, training side first."""

    atlas: Atlas
    settings: ProbeSettings
    questions: tuple[Question, Question]
    masks: tuple[NDArray[np.bool_], NDArray[np.bool_]]
    activations: Both
    given: dict[str, Any]

    @property
    def question(self) -> Question:
        """The training side's question, with its notes."""
        return self.questions[0]

    @property
    def is_number(self) -> bool:
        """Whether a number is asked for."""
        return self.question.is_number

    def unasked(self) -> list[str]:
        """How many sites have none of the classes, or no number, in a sentence where there are any."""
        n_sites = sum(each.n_sites for each in {id(each): each for each in self.activations}.values())
        left = n_sites - sum(int(mask.sum()) for mask in self.masks)
        return [f"{left:,} of {n_sites:,} sites have none of these classes and are left out."] if left else []

    def read(self, variant: str, tick: Tick) -> tuple[Side, Side, Reading]:
        """Both sides with the values of a variant. Raises what `activations_of` and `read_sides` do."""
        both = self.activations if variant == "trained" else self._of(variant, tick)
        self._same_sites(both, variant)
        columns = np.arange(both[0].n_units, dtype=np.int64)
        reading = read_sides(list(zip(both, self.masks, strict=True)), columns, self.settings.memory)
        forms = _forms(both)
        sides = []
        for matrix, question, mask, activations, form in zip(
            (reading.train, reading.held), self.questions, self.masks, both, forms, strict=True
        ):
            sides.append(Side(matrix, question.asked.select_sites(mask), activations.halves.block[mask], form[mask]))
        return sides[0], sides[1], reading

    def _of(self, variant: str, tick: Tick) -> Both:
        return load_both(self.atlas, self.settings, variant, self.given, tick)

    def _same_sites(self, both: Both, variant: str) -> None:
        for own, other, mask in zip(self.activations, both, self.masks, strict=True):
            if other.n_sites != len(mask) or not np.array_equal(own.sites.item, other.sites.item):
                raise ProbeError(f"The {variant} copy has positions for other sites than the model itself.")


def case_of(
    atlas: Atlas,
    settings: ProbeSettings,
    model: str | Model | None,
    corpus: str | Corpus | None,
    tick: Tick,
) -> Case:
    """Make ready what a run works on. Raises ConceptError, ProbeError and what `activations_of` does."""
    given: dict[str, Any] = {"model": model, "corpus": corpus, "concepts": _specs(atlas, settings.concepts)}
    readable = {**given, "check": lambda table, sites: question_of(table, sites, settings.concepts)}
    both = load_both(atlas, settings, "trained", readable, tick)
    train = question_of(both[0].concepts, both[0].sites, settings.concepts)
    if both[1] is both[0]:
        masks = halves_of(both[0], train)
        kept = kept_classes(train, *masks, settings.least)
        questions = (kept, kept)
    else:
        questions, masks = _of_two_corpora(train, both, settings)
    masks = (masks[0] & questions[0].asked.labelled, masks[1] & questions[1].asked.labelled)
    return Case(atlas, settings, questions, masks, both, given)


def halves_of(activations: Activations, question: Question) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Sites of half A and of half B, [S] each, that have a class or a number."""
    halves, labelled = activations.halves, question.asked.labelled
    return halves.a & labelled, halves.b & labelled


def _of_two_corpora(
    train: Question, both: Both, settings: ProbeSettings
) -> tuple[tuple[Question, Question], tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Questions of both corpora with the same classes in the same order."""
    held = aligned(question_of(both[1].concepts, both[1].sites, settings.concepts), train.names)
    if isinstance(train.asked, Labels) and isinstance(held.asked, Labels):
        # As one run of sites, so that classes are kept or left out by the same rule.
        of_site = np.concatenate([train.asked.of_site, held.asked.of_site])
        first = np.arange(len(of_site)) < train.asked.n_sites
        kept = kept_classes(replace(train, asked=Labels(train.names, of_site)), first, ~first, settings.least)
        train = replace(kept, asked=kept.asked.select_sites(first))
        held = replace(kept, asked=kept.asked.select_sites(~first))
    else:
        everywhere = np.ones(train.asked.n_sites, np.bool_)
        train = kept_classes(train, everywhere, everywhere, settings.least)
    return (train, held), (train.asked.labelled, held.asked.labelled)


def load_both(atlas: Atlas, settings: ProbeSettings, variant: str, given: dict[str, Any], tick: Tick) -> Both:
    """Activations of a variant: of the atlas' corpus, and of the corpus to judge on, which may be the same object."""
    options = {"layers": settings.layers, "variant": variant, "tick": tick, **given}
    own = activations_of(atlas, **options)
    if settings.eval_corpus is None:
        return own, own
    return own, activations_of(atlas, **{**options, "corpus": None}, other=settings.eval_corpus)


def _specs(atlas: Atlas, concepts: str) -> tuple[str, ...]:
    """Concept sources to read: none where the atlas' own have what is asked, else the source that is named so.

    Raises ConceptError, before anything is run, for what is neither.
    """
    from unitscope.concepts import SPECS

    rows = atlas.concepts()
    names, categories = (tuple(row[column] for row in rows) for column in ("concept", "category"))
    none = np.zeros(0, np.int32)
    known = ConceptTable(names, categories, np.zeros(len(rows) + 1, np.int64), none, 0)
    category = concepts.partition(":")[0]
    try:
        question_of(known, Sites(none, none, none, none), concepts)
    except ConceptError:
        if category not in SPECS or category in categories:
            raise
        return (category,)
    return ()


def _forms(both: Both) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Word forms of all sites, numbered alike on both sides; forms that the first has not are -1."""
    own, other = both
    if own is other or kind_of(own.grid) != "text":
        return own.sites.form, other.sites.form
    known = dict(zip(own.words(), own.sites.form.tolist(), strict=True))
    lowered: dict[str, set[int]] = {}
    for word, form in known.items():
        lowered.setdefault(word.lower(), set()).add(form)
    if all(len(forms) == 1 for forms in lowered.values()):  # the model reads no capitals
        known = {**{word: next(iter(forms)) for word, forms in lowered.items()}, **known}
        found = [known.get(word, known.get(word.lower(), -1)) for word in other.words()]
    else:
        found = [known.get(word, -1) for word in other.words()]
    return own.sites.form, np.array(found, np.int64)
