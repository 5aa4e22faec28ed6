"""The class of each word, by a probe of a layer of the edited network: what later layers can still tell.

The probe is trained once, on the values that the unedited network has for other items; a probe of the last hidden state
is the head of a token classifier. A word's value is that of its last position, or as the atlas has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import numpy as np
import torch

from unitscope.causal.bound import Bound, Floats
from unitscope.causal.tasks.base import ByClasses, Ints, Judged, Words, fitting, of_classes, value_of
from unitscope.causal.tasks.heads import WORD_PENALTY, fitted
from unitscope.causal.tasks.reading import WordReader, beside, check_above, edited_layers, grid_of, tap_of
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.base import Resampling
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.models.torch import TorchModel
from unitscope.sites import Item

MOST_TRAINED = 50_000
Before: TypeAlias = Callable[[Any, Sequence[Item]], Any]
"""From what the module gives for a batch of items, and these, to what words are read from."""


@dataclass(frozen=True)
class WordClassification(ByClasses):
    """Whether a probe names the class of each word; `by` says how it is judged.

    `weight` [C, U] and `bias` [C] act on a word's values at `layer` (empty: the last hidden state); `words` has the
    classes that the probe knows. Words of other classes are not judged. Made by `trained_probe`.
    """

    words: Words = field(repr=False)
    weight: torch.Tensor = field(compare=False, repr=False)
    bias: torch.Tensor = field(compare=False, repr=False)
    layer: str = ""
    by: Judged = "accuracy"
    resample: Resampling = "last"
    n_trained: int = 0

    @property
    def name(self) -> str:
        """As the command line takes it."""
        kind = f"probe:{self.layer}" if self.layer else "token"
        return self.named(f"{kind}:{self.words.category}")

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`. Raises TaskError, when it is measured, where an edit is not below the probe's layer."""
        found = WordLayer(model, self.layer, self.words.grid, self.resample)

        def logits(values: torch.Tensor) -> torch.Tensor:
            return values @ self.weight.to(values).T + self.bias.to(values)

        return bound_words(found, items, self.words, logits, self.by)


class WordLayer:
    """A layer of a model whose words' values are read in edited forwards. Raises TaskError where they cannot be."""

    def __init__(self, model: Editable, layer: str, grid: str, resample: Resampling) -> None:
        if not isinstance(model, TorchModel):
            raise TaskError(f"{model.name} reads pictures, which have no words.", expected="a model of texts")
        self.model, self.grid, self.resample = model, grid, resample
        self.tap = tap_of(model, layer) if layer else None
        own = grid_of(model, self.tap)
        if own != grid:
            where = self.tap.address if self.tap is not None else "The last hidden state"
            raise TaskError(f"{where} has values of the words of '{own}'; the classes are those of '{grid}'.")

    @contextmanager
    def open(self, edits: Sequence[Edit] = ()) -> Iterator[None]:
        """While open, forwards hand on the layer's values. Raises TaskError where it does not lie above the edits."""
        self.check(edited_layers(self.model, edits))
        with nullcontext() if self.tap is None else beside(self.model, self.tap):
            yield

    def check(self, edited: Sequence[str]) -> None:
        """Raise TaskError where the layer does not lie above those that are edited."""
        if self.tap is not None:
            check_above(self.model, self.tap, edited)

    def reader(self, items: Sequence[Item]) -> WordReader:
        """A reader of words' values."""
        return WordReader.of(self.model, items, self.grid, self.tap, self.resample)


def bound_words(
    layer: WordLayer,
    items: Sequence[Item],
    words: Words,
    logits: Callable[[torch.Tensor], torch.Tensor],
    by: Judged,
    before: Before = lambda output, batch: output,
) -> Bound:
    """A task with a number a word: `logits` makes scores [W, C] of the values [W, U] of a batch's words.

    `before` makes what words are read from of a batch's output.
    """
    fits, _ = fitting(layer.model, items, layer.grid)
    reader = layer.reader(fits)
    judged = _judged_words(layer, reader, fits, words, by, before)
    kept = [item for item in fits if len(judged[item.id])]
    classes = [words.of(item)[judged[item.id]] for item in kept]
    shown, compact = np.unique(np.concatenate(classes), return_inverse=True)
    of_number = np.split(compact.reshape(-1), np.cumsum([len(each) for each in classes])[:-1])
    plans: dict[tuple[str, ...], tuple[torch.Tensor, torch.Tensor, list[int]]] = {}

    def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
        values, present = reader.rows(before(output, batch), batch)
        key = tuple(item.id for item in batch)
        if key not in plans:
            parts = _split(present, batch, layer.grid)
            mine = [at[np.isin(seen, judged[item.id])] for item, (seen, at) in zip(batch, parts, strict=True)]
            own = np.concatenate([words.of(item)[judged[item.id]] for item in batch])
            plans[key] = (
                torch.from_numpy(np.concatenate(mine)).to(values.device),
                torch.from_numpy(own).to(values.device),
                [len(each) for each in mine],
            )
        chosen, wanted, counts = plans[key]
        return list(torch.split(of_classes(by, logits(values)[chosen], wanted), counts))

    task = Bound(
        tuple(kept),
        read,
        len(items) - len(kept),
        tuple(judged[item.id] for item in kept),
        tuple(words.names[at] for at in shown.tolist()),
        tuple(each.astype(np.int64) for each in of_number),
        value_of(by),
    )
    if layer.tap is None:
        return task

    def measure(model: Editable, edits: Sequence[Edit], batch_size: int) -> Floats:
        with layer.open(edits):
            return task.statistics(model, edits, batch_size)

    return replace(task, read=None, measure=measure)


def _judged_words(
    layer: WordLayer, reader: WordReader, items: Sequence[Item], words: Words, by: Judged, before: Before
) -> dict[str, Ints]:
    """Of each item the words that the layer has and whose class is known. Raises TaskError where there are none."""

    def which(output: Any, batch: Sequence[Item]) -> list[Ints]:
        return [each for each, _ in _split(reader.rows(before(output, batch), batch)[1], batch, layer.grid)]

    with layer.open():
        found = many(layer.model, items, [Edit()], which)[0] if items else []
    judged = {item.id: seen[words.of(item)[seen] >= 0] for item, seen in zip(items, found, strict=True)}
    if by == "balanced":
        common = _in_two_groups(items, judged, words)
        judged = {item.id: _only(judged[item.id], words.of(item), common) for item in items}
    if not any(map(len, judged.values())):
        raise TaskError(
            f"No word to judge by has a class of '{words.category}' that is known.", expected=", ".join(words.names)
        )
    return judged


def trained_probe(
    model: Editable,
    items: Sequence[Item],
    words: Words,
    *,
    layer: str = "",
    by: Judged = "accuracy",
    resample: Resampling = "last",
    seed: int = 0,
    edited: Sequence[str] = (),
) -> WordClassification:
    """A probe for the classes of words, trained on these items: multinomial logistic regression, a small L2 penalty.

    `layer` is an address; the last hidden state where it is empty. Of more than 50,000 words every second, third, ...
    is used. Raises TaskError where fewer than two classes are there, and where the layer does not lie above those
    `edited`.
    """
    found = WordLayer(model, layer, words.grid, resample)
    found.check(edited)
    kept, _ = fitting(model, items, words.grid)
    reader = found.reader(kept)

    def read(output: Any, batch: Sequence[Item]) -> list[tuple[torch.Tensor, Ints]]:
        values, present = reader.rows(output, batch)
        values = values.detach().float().cpu()
        return [(values[torch.from_numpy(at)], seen) for seen, at in _split(present, batch, words.grid)]

    with found.open():
        parts = many(model, kept, [Edit()], read)[0] if kept else []
    classes = [words.of(item)[seen] for item, (_, seen) in zip(kept, parts, strict=True)]
    own = np.concatenate([*classes, np.zeros(0, np.int64)])
    known = np.unique(own[own >= 0])
    if len(known) < 2:
        raise TaskError(
            f"The words to train a probe on have {len(known)} class(es) by '{words.category}'.", expected="two or more"
        )
    used = np.flatnonzero(own >= 0)
    used = used[:: -(-len(used) // MOST_TRAINED)]
    values = torch.cat([part for part, _ in parts])[torch.from_numpy(used)]
    names = tuple(words.names[at] for at in known.tolist())
    weight, bias = fitted(values, names, np.searchsorted(known, own[used]).astype(np.int32), seed, WORD_PENALTY)
    place = np.full(len(words.names) + 1, -1, np.int64)
    place[known] = np.arange(len(known))
    known_words = Words(names, {name: place[each] for name, each in words.of_item.items()}, words.grid, words.category)
    address = "" if found.tap is None else str(found.tap.address)
    return WordClassification(known_words, weight, bias, address, by, resample, len(used))


def _split(present: Ints, batch: Sequence[Item], grid: str) -> list[tuple[Ints, Ints]]:
    """Of each item its words that have a position, and their rows among all of the batch."""
    ends = np.cumsum([item.grids[grid].n_sites for item in batch])
    cuts = np.searchsorted(present, ends)
    found, first, start = [], 0, 0
    for end, cut in zip(ends.tolist(), cuts.tolist(), strict=True):
        found.append((present[first:cut] - start, np.arange(first, cut)))
        first, start = cut, end
    return found


def _in_two_groups(items: Sequence[Item], judged: dict[str, Ints], words: Words) -> set[int]:
    """Classes found in two groups or more: without one of them the mean over classes can still be taken."""
    groups: dict[int, set[str]] = {}
    for item in items:
        for at in set(words.of(item)[judged[item.id]].tolist()):
            groups.setdefault(at, set()).add(item.group)
    several = len({item.group for item in items}) > 1
    return {at for at, those in groups.items() if len(those) > 1 or not several}


def _only(judged: Ints, classes: Ints, wanted: set[int]) -> Ints:
    return judged[np.isin(classes[judged], sorted(wanted))]
