"""What steering is judged by, in numbers an item: how often an output has the property, and what else changed.

A `Property` is what the user names; bound to a model and to items it is a `Judge`, which scores edits. Success is a
ratio of sums over items, so that its differences have the intervals of `unitscope.causal.effects`; so is harm.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.causal.effects import Effect, effect_of
from unitscope.edits import Edit
from unitscope.models.editing import Editable
from unitscope.sites import Item

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Scores:
    """Scores of E edits on I items; the first edit is none at all.

    `hits` [E, I] are sums of successes and `n` [I] of how many there could be; `harm` [E, I] and `n_harm` [I] the same
    of what should not change. With `relative` harm is the rise as a share of the unedited value. `facts` hold one
    further number an edit [E] by name, `said` a line an edit and item on what came out. `worn` [E] is further damage
    that the limit is held against, in the same terms, where there is such.
    """

    hits: Floats
    n: Floats
    harm: Floats
    n_harm: Floats
    relative: bool = False
    facts: Mapping[str, Floats] = field(default_factory=lambda: MappingProxyType({}))
    said: tuple[tuple[str, ...], ...] = ()
    worn: Floats | None = None

    @property
    def success(self) -> Floats:
        """Share of successes under each edit, [E]."""
        found: Floats = self.hits.sum(axis=1) / self.n.sum()
        return found

    @property
    def collateral(self) -> Floats:
        """Harm under each edit beyond that of none, [E]."""
        found: Floats = (self.harm.sum(axis=1) - self.harm[0].sum()) / self._scale
        return found

    @property
    def limited(self) -> Floats:
        """What the limit is held against, [E]: the collateral damage, or what is worn, where that is more."""
        return self.collateral if self.worn is None else np.maximum(self.collateral, self.worn)

    @property
    def _scale(self) -> float:
        return float(self.harm[0].sum() if self.relative else self.n_harm.sum()) or 1.0

    def gained(self, at: Sequence[int], against: Sequence[int], block: NDArray[np.int64]) -> Effect:
        """Success of some edits (their mean) less that of others, paired by item."""
        return effect_of(self.hits[list(at)].mean(axis=0) - self.hits[list(against)].mean(axis=0), self.n, block)

    def harmed(self, at: Sequence[int], against: Sequence[int], block: NDArray[np.int64]) -> Effect:
        """Harm of some edits less that of others, paired by item, as `collateral` has it."""
        found = effect_of(self.harm[list(at)].mean(axis=0) - self.harm[list(against)].mean(axis=0), self.n_harm, block)
        by = float(self.n_harm.sum()) / self._scale
        return Effect(found.effect * by, found.low * by, found.high * by, found.p)


class Judge(Protocol):
    """A property bound to a model and items."""

    @property
    def items(self) -> tuple[Item, ...]:
        """Items that it can judge."""

    @property
    def left_out(self) -> int:
        """How many it cannot."""

    @property
    def says(self) -> str:
        """What the lines on what came out say."""

    @property
    def originals(self) -> tuple[str, ...]:
        """A line an item on what stood in the corpus."""

    @property
    def floor(self) -> float:
        """For properties that are taken away: the share that says that nothing is left of it."""

    def scores(self, edits: Sequence[Edit], *, batch_size: int = 32) -> Scores:
        """Scores of edits; the first has to be `Edit()`."""


class Property(Protocol):
    """Something that an output may have. `rising` says whether steering should make more of it."""

    @property
    def name(self) -> str:
        """As the command line takes it."""

    @property
    def metric(self) -> str:
        """What the success is a share of, in words."""

    @property
    def harm(self) -> str:
        """What collateral damage is, in words."""

    @property
    def rising(self) -> bool:
        """Whether a greater share is a better one."""

    def contrasts(self, values: Activations, items: Mapping[str, Item], model: Editable) -> list[tuple[Bools, Bools]]:
        """Sites [S] with the property and without, one pair a direction; see `Habits.gaps`."""

    def bound(self, model: Editable, train: Sequence[Item], items: Sequence[Item]) -> Judge:
        """A judge of items, made from the training items. Raises TaskError where there is nothing to judge."""


def item_masks(values: Activations, chosen: Mapping[str, bool]) -> tuple[Bools, Bools]:
    """Sites of items that are chosen, and sites of those that are not; items that are not named are in neither."""
    there = np.array([chosen.get(name) is True for name in values.item_ids], np.bool_)
    not_there = np.array([chosen.get(name) is False for name in values.item_ids], np.bool_)
    return there[values.sites.item], not_there[values.sites.item]
