"""Steering which of two sets of tokens a language model expects: tense, number, polarity by minimal pairs.

At every token of a text that is in one of two sets the model has said, after the tokens before it, how likely each set
is. Steered from `A` to `B`, a site where the text has a token of A is a success where the model now holds one of B for
likelier (teacher-forced, as agreement is tested by Linzen et al. 2016); to take the property away, its choice between
the sets should no longer follow the text. Bau et al. 2019 judged steered units of translation models so, by the tense
or gender that came out. Collateral damage is the rise of the loss at all other tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.causal.continuing import check_head, decoded
from unitscope.causal.steering_scores import Bools, Judge, Scores
from unitscope.causal.targets import hidden_state, token_logits
from unitscope.causal.tasks import LanguageModelling
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.editing import Editable
from unitscope.models.many import many
from unitscope.models.torch import TorchModel
from unitscope.sites import Item

Ints = NDArray[np.int64]
_STRICT = "first choice of all tokens"


@dataclass(frozen=True)
class Choice:
    """Tokens of `wanted` instead of those of `other`; both words, each one token of the model."""

    other: tuple[str, ...]
    wanted: tuple[str, ...]
    remove: bool = False
    harm: str = field(default="rise of the loss at other tokens", init=False)

    @property
    def name(self) -> str:
        """As the command line takes it."""
        return f"choice:{','.join(self.other)}|{','.join(self.wanted)}"

    @property
    def metric(self) -> str:
        """In words."""
        if self.remove:
            return "balanced accuracy of the model's choice between the two sets"
        return f"share of {', '.join(self.other)} where the model now expects {', '.join(self.wanted)}"

    @property
    def rising(self) -> bool:
        """Less of what is taken away is better."""
        return not self.remove

    def contrasts(self, values: Activations, items: Mapping[str, Item], model: Editable) -> list[tuple[Bools, Bools]]:
        """Words after which a token of `wanted` comes, and those after which one of `other` comes."""
        inside = [item for name, item in items.items() if name in set(values.item_ids)]
        found = _Sites.of(self, model, inside)
        index = {name: at for at, name in enumerate(values.item_ids)}
        site = {pair: at for at, pair in enumerate(zip(values.sites.item.tolist(), values.sites.position.tolist()))}
        masks = np.zeros((2, values.n_sites), np.bool_)
        for item, kinds, places in zip(found.items, found.kinds, found.places, strict=True):
            for kind, place in zip(kinds.tolist(), places.tolist(), strict=True):
                at = site.get((index[item.id], place), -1)
                if kind and at >= 0:
                    masks[0 if kind == 2 else 1, at] = True
        return [(masks[0], masks[1])]

    def bound(self, model: Editable, train: Sequence[Item], items: Sequence[Item]) -> Judge:
        """See `Property.bound`. Items without a token of the sets are left out."""
        found = _Sites.of(self, model, items)
        asked = (1, 2) if self.remove else (1,)
        keep = [at for at, kinds in enumerate(found.kinds) if np.isin(kinds, asked).any()]
        counts = [sum(int((found.kinds[at] == kind).sum()) for at in keep) for kind in asked]
        if not keep or not all(counts):
            told = " or ".join(", ".join(self.other if kind == 1 else self.wanted) for kind in asked)
            raise TaskError(
                f"No item to judge by has the token {told}.",
                expected="tokens that the texts have",
                fix="Use more items.",
            )
        return _Chosen(self, model, found.part(keep), len(items) - len(keep))


@dataclass(frozen=True, eq=False)
class _Sites:
    """Items and, of each token that follows another: its number, its kind (1 of `other`, 2 of `wanted`), the word
    before it.
    """

    items: tuple[Item, ...]
    ids: tuple[Ints, ...]
    kinds: tuple[Ints, ...]
    places: tuple[Ints, ...]
    sets: tuple[Ints, Ints]

    @classmethod
    def of(cls, choice: Choice, model: Editable, items: Sequence[Item]) -> _Sites:
        check_head(model)
        sets = (_numbers(model, choice.other), _numbers(model, choice.wanted))
        both = np.intersect1d(*sets)
        if len(both):
            raise TaskError(
                f"'{decoded(model, both.tolist()[:1])}' is in both sets.", expected="sets without a token in common"
            )
        task = LanguageModelling().bound(model, items)
        assert isinstance(model, TorchModel)
        grid = TARGET if TARGET in model.grids else SOURCE
        rows = model.feed.rows(grid, [item.grids[grid] for item in task.items])
        ids = tuple(np.asarray(row.ids, np.int64) for row in rows)
        kinds = tuple(np.isin(own[1:], sets[0]) + 2 * np.isin(own[1:], sets[1]).astype(np.int64) for own in ids)
        return cls(task.items, ids, kinds, task.places, sets)

    def part(self, keep: Sequence[int]) -> _Sites:
        """Some of the items."""
        items, ids, kinds, places = (
            tuple(each[at] for at in keep) for each in (self.items, self.ids, self.kinds, self.places)
        )
        return _Sites(items, ids, kinds, places, self.sets)  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class _Chosen:
    """A `Judge` by sets of tokens."""

    choice: Choice
    model: Editable
    sites: _Sites
    left_out: int

    @property
    def items(self) -> tuple[Item, ...]:
        return self.sites.items

    @property
    def says(self) -> str:
        """See `Judge.says`."""
        wanted, other = ", ".join(self.choice.wanted), ", ".join(self.choice.other)
        return f"the likeliest token, and how likely {wanted} is against {other}"

    @property
    def originals(self) -> tuple[str, ...]:
        """The text up to the first token that is judged, and that in brackets."""
        lines = []
        for ids, kinds in zip(self.sites.ids, self.sites.kinds, strict=True):
            at = self._first(kinds)
            lines.append(
                f"{decoded(self.model, ids[: at + 1].tolist())} [{decoded(self.model, ids[at + 1 : at + 2].tolist())}]"
            )
        return tuple(lines)

    @property
    def floor(self) -> float:
        """Half of the choices are right by chance."""
        return 0.5 if self.choice.remove else 0.0

    def _asked(self, kinds: Ints) -> NDArray[np.bool_]:
        return kinds > 0 if self.choice.remove else kinds == 1

    def _first(self, kinds: Ints) -> int:
        return int(np.flatnonzero(self._asked(kinds))[0])

    def scores(self, edits: Sequence[Edit], *, batch_size: int = 32) -> Scores:
        """See `Judge.scores`."""
        place = {item.id: at for at, item in enumerate(self.items)}
        other, wanted = (torch.from_numpy(each).to(self.model.device) for each in self.sites.sets)

        def read(output: Any, batch: Sequence[Item]) -> list[tuple[Any, ...]]:
            hidden = hidden_state(output)
            found = []
            for row, item in enumerate(batch):
                at = place[item.id]
                following = torch.from_numpy(self.sites.ids[at][1:]).to(hidden.device)
                logits = token_logits(self.model, hidden[row, : len(following)])
                asked = torch.from_numpy(self._asked(self.sites.kinds[at])).to(hidden.device)
                loss = torch.nn.functional.cross_entropy(logits, following, reduction="none")
                mine = logits[asked]
                odds = mine[:, wanted].logsumexp(dim=1) - mine[:, other].logsumexp(dim=1)
                plain = torch.from_numpy(self.sites.kinds[at] == 0).to(hidden.device)
                harm = float(loss[plain].double().sum())
                found.append((odds.double().cpu().numpy(), mine.argmax(dim=1).cpu().numpy(), harm))
            return found

        return self._scored(many(self.model, self.items, edits, read, batch_size=batch_size))

    def _scored(self, found: Sequence[Sequence[tuple[Any, ...]]]) -> Scores:
        kinds = [mine[self._asked(mine)] for mine in self.sites.kinds]
        weight = self._weights(kinds)
        hits = [[float((w * self._right(each[0], k)).sum()) for each, w, k in zip(row, weight, kinds)] for row in found]
        first = [[np.isin(each[1], self.sites.sets[1]) for each in row] for row in found]
        strict = [sum(float((w * each).sum()) for w, each in zip(weight, row)) for row in first]
        n = np.array([float(w.sum()) for w in weight])
        said = tuple(
            tuple(f"{decoded(self.model, each[1][:1].tolist())} ({1 / (1 + np.exp(-each[0][0])):.2f})" for each in row)
            for row in found
        )
        return Scores(
            np.array(hits),
            n,
            np.array([[each[2] for each in row] for row in found]),
            np.array([float((mine == 0).sum()) for mine in self.sites.kinds]),
            relative=True,
            facts={} if self.choice.remove else {_STRICT: np.array(strict) / n.sum()},
            said=said,
        )

    def _right(self, odds: NDArray[np.float64], kinds: Ints) -> NDArray[np.bool_]:
        """Whether a choice is the one that is counted: the wanted set, or, to take it away, the text's own."""
        return (odds > 0) == (kinds == 2) if self.choice.remove else odds > 0

    def _weights(self, kinds: Sequence[Ints]) -> list[NDArray[np.float64]]:
        """1 a site; to take the property away, weights that make the two sets count alike."""
        if not self.choice.remove:
            return [np.ones(len(mine)) for mine in kinds]
        flat = np.concatenate(kinds)
        share = {kind: len(flat) / (2 * max(int((flat == kind).sum()), 1)) for kind in (1, 2)}
        return [np.array([share[kind] for kind in mine.tolist()]) for mine in kinds]


def _numbers(model: Editable, words: Sequence[str]) -> Ints:
    """Numbers of words that are one token each, with and without the blank before them."""
    tokenizer: Any = getattr(getattr(model, "feed", None), "tokenizer", None)
    if tokenizer is None:
        raise TaskError(f"{model.name} has no tokens to choose from.", expected="a language model")
    found = set()
    for word in words:
        ways = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in (f" {word}", word)]
        own = {int(ids[0]) for ids in ways if len(ids) == 1 and ids[0] != tokenizer.unk_token_id}
        if not own:
            raise TaskError(
                f"'{word}' is no single token of {model.name}.", expected="words that the model has as one token"
            )
        found |= own
    return np.array(sorted(found), np.int64)
