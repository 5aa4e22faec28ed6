"""Tasks by their names, as the command line takes them.

- `lm`, `lm:upos`, `lm:upos:NOUN`, each also with `:perplexity`: loss of each token, by class of its word, or of the
  tokens of one concept's words alone.
- `label:COLUMN`: the class of an item, by a head trained for it. Also a concept, as `label:segments:car`: whether the
  item has a site with it.
- `own:COLUMN`: the same by the network's own classes, `own:CATEGORY` by its own classes of words; `own:top`, or
  `own:top:probability`: its own top class before the edit.
- `token:CATEGORY`: the class of each word, by a probe of the last layer; `probe:LAYER:CATEGORY` of another one. Also
  one concept, as `token:upos:NOUN`.
- `translation:bleu`, `translation:chrf`, `translation:loss`; `translation:bleu:4` with 4 beams.
- `similarity`, `similarity:pairs`, `similarity:COLUMN`, `similarity:spearman:COLUMN`, `similarity:pearson:COLUMN`.
- `python:pkg.module:function`: a function of the module's output and the batch's items that gives one number an item.

Classes are judged by accuracy; `:balanced` and `:loss` at the end judge by balanced accuracy and cross entropy.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from unitscope.causal.bound import Bound
from unitscope.causal.tasks.base import JUDGED, Judged, Measured, Task, Words
from unitscope.causal.tasks.heads import trained_head
from unitscope.causal.tasks.language import LanguageModelling
from unitscope.errors import TaskError, closest
from unitscope.models.base import Resampling
from unitscope.models.editing import Editable
from unitscope.sites import Item, kind_of

if TYPE_CHECKING:
    from unitscope.activations import Activations

FORMS: Mapping[str, str] = {
    "lm": "lm",
    "label": "label:COLUMN",
    "own": "own:COLUMN",
    "token": "token:CATEGORY",
    "probe": "probe:LAYER:CATEGORY",
    "translation": "translation:bleu",
    "similarity": "similarity",
    "python": "python:pkg.module:function",
}
ALONE = ("lm", "similarity")
"""Kinds that say all without more."""


@dataclass(frozen=True)
class Given:
    """What a task is made from: the model, items that heads and probes are trained on, and the atlas' concepts.

    `edited` are addresses of the layers whose units will be edited; `resample` says how words have values.
    """

    model: Editable
    train: Sequence[Item] = field(repr=False)
    values: Activations | None = field(default=None, repr=False)
    edited: tuple[str, ...] = ()
    seed: int = 0
    resample: Resampling = "last"


def check_name(text: str) -> None:
    """Raise TaskError for a name that is none of a task."""
    kind, _, what = text.partition(":")
    bare = kind not in ALONE and not what.strip(":")
    if kind not in FORMS or bare or (kind == "probe" and ":" not in what):
        raise TaskError(f"Unknown task '{text}'.", expected=", ".join(FORMS.values()), fix=closest(kind, FORMS))
    if kind == "translation":
        _translation(what)
    if kind == "similarity":
        _similarity(what)


def needs_labels(text: str) -> bool:
    """Whether a task may rest on labels of items, which only the corpus has."""
    kind, _, what = text.partition(":")
    return kind == "label" or (kind == "own" and not _is_top(what)) or (kind == "similarity" and bool(what))


def task_of(text: str, given: Given) -> Task:
    """A task by its name. Raises TaskError for one that cannot be read, or cannot be made for this model."""
    check_name(text)
    kind, _, what = text.partition(":")
    if kind == "lm":
        return _language(what, given)
    if kind == "python":
        return Measured(_function(what), text)
    if kind == "translation":
        return _translation(what)
    if kind == "similarity":
        return _similarity(what)
    if kind == "own":
        return _own(what, given)
    named, by = _judged(what)
    if kind == "label":
        of_item = _with_concept(named, given)
        return trained_head(given.model, given.train, named, by=by, seed=given.seed, of_item=of_item)
    from unitscope.causal.tasks.words import trained_probe

    layer, category = ("last", named) if kind == "token" else _layer_and_words(named, given)
    return trained_probe(
        given.model,
        given.train,
        words_of(_values(given, text), category),
        layer="" if layer == "last" else layer,
        by=by,
        resample=given.resample,
        seed=given.seed,
        edited=given.edited,
    )


def words_of(values: Activations, what: str) -> Words:
    """Classes of words by a category of an atlas' concepts, or by one concept: with it and without.

    Raises ConceptError for what is not there, ProbeError for classes that hold together, and TaskError for sites that
    are no words.
    """
    from unitscope.probes.base import Labels

    if kind_of(values.grid) != "text":
        raise TaskError(f"These units have values of the sites of '{values.grid}', which are no words.")
    one = what in values.concepts.names and what not in values.concepts.categories
    labels = Labels.of_concept(values.concepts, what) if one else Labels.of_category(values.concepts, what)
    found: dict[str, Any] = {}
    ends = np.flatnonzero(np.diff(values.sites.item, append=-1)) + 1
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist()):
        at = values.sites.position[start:end]
        classes = np.full(int(values.sites.length[start]), -1, np.int64)
        classes[at] = labels.of_site[start:end]
        found[values.item_ids[int(values.sites.item[start])]] = classes
    return Words(labels.names, found, values.grid, what)


def chance_of(task: Task, bound: Bound) -> float:
    """Accuracy of always naming the most frequent class, balanced accuracy of always naming one; NaN for others."""
    counts: dict[int, int] = {}
    for each in bound.of_number:
        for number in each.tolist():
            counts[number] = counts.get(number, 0) + 1
    if not counts or task.metric not in ("accuracy", "balanced accuracy"):
        return float("nan")
    return 1 / len(counts) if task.metric == "balanced accuracy" else max(counts.values()) / sum(counts.values())


def _language(what: str, given: Given) -> Task:
    named, perplexity = (
        (what.removesuffix("perplexity").removesuffix(":"), True)
        if _last(what) == "perplexity"
        else (
            what,
            False,
        )
    )
    if not named:
        return LanguageModelling(perplexity=perplexity)
    values = _values(given, f"lm:{what}")
    if named in values.concepts.names:
        return LanguageModelling(words_of(values, named), named, perplexity)
    return LanguageModelling(words_of(values, named), "", perplexity)


def _own(what: str, given: Given) -> Task:
    from unitscope.causal.tasks.checkpoints import kind_of as head_of
    from unitscope.causal.tasks.own import OwnClasses, OwnTop, OwnWords

    if _is_top(what):
        return OwnTop(what == "top:probability")
    named, by = _judged(what)
    if head_of(given.model) == "ForTokenClassification":
        return OwnWords(words_of(_values(given, f"own:{what}"), named), by, given.resample)
    return OwnClasses(named, by)


def _is_top(what: str) -> bool:
    return what in ("top", "top:probability")


def _translation(what: str) -> Task:
    from unitscope.causal.tasks.translation import METRICS, Translation

    by, _, beams = what.partition(":")
    if by not in METRICS or (beams and not (beams.isdecimal() and int(beams))):
        raise TaskError(
            f"Unknown task 'translation:{what}'.",
            expected=", ".join(f"translation:{each}" for each in METRICS) + ", with ':4' for 4 beams",
            fix=closest(by, METRICS),
        )
    return Translation(by, int(beams or 1))


def _similarity(what: str) -> Task:
    from unitscope.causal.tasks.similarity import KINDS, Similarity

    kind, _, label = what.partition(":")
    if not what:
        return Similarity("moved")
    if kind in KINDS and (kind in ("moved", "pairs")) == (not label):
        return Similarity(kind, label)
    if label or kind in KINDS:
        raise TaskError(
            f"Unknown task 'similarity:{what}'.",
            expected="similarity, similarity:pairs, similarity:COLUMN, similarity:spearman:COLUMN or "
            "similarity:pearson:COLUMN",
        )
    return Similarity("neighbours", what)


def _with_concept(label: str, given: Given) -> Mapping[str, str] | None:
    """Of items by their ids whether they have a site with a concept; None for what is no concept."""
    values = given.values
    if values is None or label not in values.concepts.names:
        return None
    at = values.concepts.names.index(label)
    items = set(np.unique(values.sites.item).tolist())
    having = set(np.unique(values.sites.item[values.concepts.sites_of(at)]).tolist())
    return {values.item_ids[item]: "with" if item in having else "without" for item in sorted(items)}


def _layer_and_words(what: str, given: Given) -> tuple[str, str]:
    """`LAYER:CATEGORY`, or `LAYER:CATEGORY:NAME` for one concept."""
    layer, _, words = what.rpartition(":")
    longer = layer.rpartition(":")
    if given.values is not None and longer[0] and f"{longer[2]}:{words}" in given.values.concepts.names:
        return longer[0], f"{longer[2]}:{words}"
    return layer, words


def _values(given: Given, text: str) -> Activations:
    if given.values is None:
        raise TaskError(f"The task '{text}' needs the concepts of an atlas.", fix="Give the atlas' activations.")
    return given.values


def _judged(text: str) -> tuple[str, Judged]:
    """What is before a last `:accuracy`, `:balanced` or `:loss`, and which of them it is."""
    before, _, last = text.rpartition(":")
    found = next((by for by in JUDGED if by == last), None) if before else None
    return (text, "accuracy") if found is None else (before, found)


def _last(text: str) -> str:
    return text.rpartition(":")[2]


def _function(text: str) -> Any:
    module, _, name = text.partition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs a module of the user's, which may fail in any way
        raise TaskError(f"Cannot import '{text}': {error}.", expected="python:pkg.module:function") from error
