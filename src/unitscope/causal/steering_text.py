"""Steering what a language model writes: held-out texts' first words are continued, and the continuations judged.

A property of texts is a word of a list, a pattern, or any function of a text. Success is the share of continuations
that have it (the mean, for a function that gives numbers). Collateral damage is the rise of the loss on the same items'
own texts, teacher-forced. Beside it stand, for what is written, the share of tokens that are as without the edit, the
variety of neighbouring pairs (distinct-2, Li et al. 2016), and the loss that the unedited model has on it. A model that
says one word again and again has the property and nothing else: the limit of the damage holds for the share of
distinct-2 that is lost, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from unitscope.activations import Activations
from unitscope.causal.bound import Bound
from unitscope.causal.continuing import (
    GREEDY,
    Decoding,
    Prompts,
    check_writes,
    continued,
    decoded,
    distinct,
    prompts_of,
    surprise,
)
from unitscope.causal.steering_scores import Bools, Floats, Judge, Scores, item_masks
from unitscope.causal.tasks import LanguageModelling
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.sites import Item

_WORDS = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True)
class Written:
    """A property of texts: `judged` gives a number for a text, 0 and 1 for one that holds or not."""

    name: str
    judged: Callable[[str], float] = field(compare=False)
    decoding: Decoding = GREEDY
    prompt_words: int = 4
    remove: bool = False
    harm: str = field(default="rise of the loss on the items' own texts", init=False)

    @property
    def metric(self) -> str:
        """In words."""
        return (
            f"share of continuations with {self.name}" if not self.name.startswith("python:") else f"mean {self.name}"
        )

    @property
    def rising(self) -> bool:
        """Less of what is taken away is better."""
        return not self.remove

    def contrasts(self, values: Activations, items: Mapping[str, Item], model: Editable) -> list[tuple[Bools, Bools]]:
        """Items whose own text has the property (more of it than the mean) against the others."""
        scores = {name: self.score(_text(item)) for name, item in items.items() if _text(item)}
        least = float(np.mean(list(scores.values()))) if scores else 0.0
        return [item_masks(values, {name: score > least for name, score in scores.items()})]

    def score(self, text: str) -> float:
        """The property of a text as a number. Raises TaskError where the function gives none."""
        try:
            found = float(self.judged(text))
        except Exception as error:  # the user's own function may fail in any way
            raise TaskError(f"'{self.name}' failed on a text: {error}.", expected="a number for every text") from error
        if not np.isfinite(found):
            raise TaskError(f"'{self.name}' gave {found} for a text.", expected="finite numbers")
        return found

    def bound(self, model: Editable, train: Sequence[Item], items: Sequence[Item]) -> Judge:
        """See `Property.bound`. Items too long for the model, or no longer than a prompt, are left out."""
        check_writes(model)
        task = LanguageModelling().bound(model, items)
        prompts = prompts_of(model, task.items, self.prompt_words, self.decoding)
        kept = frozenset(item.id for item in prompts.items)
        whole = replace(task, items=tuple(item for item in task.items if item.id in kept), places=())
        return _Continued(self, model, whole, prompts, len(items) - len(kept))


@dataclass(frozen=True, eq=False)
class _Continued:
    """A `Judge` of what is written."""

    asked: Written
    model: Editable
    task: Bound
    prompts: Prompts
    left_out: int
    floor: float = 0.0

    @property
    def items(self) -> tuple[Item, ...]:
        return self.task.items

    @property
    def says(self) -> str:
        """See `Judge.says`."""
        return "what the model writes on"

    @property
    def originals(self) -> tuple[str, ...]:
        """The prompt, and in brackets how the text went on."""
        pairs = zip(self.prompts.items, self.prompts.rest, strict=True)
        return tuple(f"{_text(item)} [{rest}]" for item, rest in pairs)

    def scores(self, edits: Sequence[Edit], *, batch_size: int = 32) -> Scores:
        """See `Judge.scores`."""
        written = [
            continued(self.model, self.prompts, edit, self.asked.decoding, batch_size=batch_size) for edit in edits
        ]
        texts = [[decoded(self.model, own) for own in each] for each in written]
        hits = np.array([[self.asked.score(text) for text in each] for each in texts])
        losses = [surprise(self.model, self.prompts, each, batch_size=batch_size) for each in written]
        facts = {
            "tokens as before": _same(written),
            "distinct-2": np.array([float(np.mean([distinct(own) for own in each])) for each in written]),
            "loss of the unedited model on it": np.array([_mean(each) for each in losses]),
        }
        variety = facts["distinct-2"]
        harm, n_harm = self._losses(edits, batch_size)
        return Scores(
            hits,
            np.ones(len(self.items)),
            harm,
            n_harm,
            relative=True,
            facts=facts,
            said=tuple(map(tuple, texts)),
            worn=1 - variety / max(variety[0], 1e-9),
        )

    def _losses(self, edits: Sequence[Edit], batch_size: int) -> tuple[Floats, Floats]:
        """Sums of the loss by edit and item, and how many tokens there are."""

        def read(output: object, batch: Sequence[Item]) -> list[tuple[float, int]]:
            assert self.task.read is not None
            return [(float(part.double().sum()), len(part)) for part in self.task.read(output, batch)]

        found = many(self.model, self.items, edits, read, batch_size=batch_size)
        sums = np.array([[each[0] for each in row] for row in found])
        return sums, np.array([float(each[1]) for each in found[0]])


def words_judge(words: Sequence[str]) -> Callable[[str], float]:
    """Whether a text has one of some words, in any case.

    >>> words_judge(["was"])("It Was late"), words_judge(["was"])("wasp")
    (1.0, 0.0)
    """
    known = frozenset(word.casefold() for word in words)
    return lambda text: float(any(word.casefold() in known for word in _WORDS.findall(text)))


def pattern_judge(pattern: str) -> Callable[[str], float]:
    """Whether a text has a match of a regular expression. Raises TaskError for a broken one."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise TaskError(f"Cannot read the pattern '{pattern}': {error}.", expected="a regular expression") from error
    return lambda text: float(compiled.search(text) is not None)


def _same(written: Sequence[Sequence[Sequence[int]]]) -> Floats:
    """Share of places at which what is written has the same token as the first, [E]; the longer one counts."""
    shares = []
    for each in written:
        pairs = list(zip(written[0], each, strict=True))
        equal = sum(sum(a == b for a, b in zip(first, own)) for first, own in pairs)
        shares.append(equal / max(sum(max(len(first), len(own)) for first, own in pairs), 1))
    return np.array(shares)


def _mean(losses: Sequence[float]) -> float:
    known = [loss for loss in losses if loss == loss]
    return float(np.mean(known)) if known else float("nan")


def _text(item: Item) -> str:
    return str(getattr(item.grids.get("source"), "text", ""))
