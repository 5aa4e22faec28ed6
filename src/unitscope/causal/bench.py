"""What sweeps are run on: a model, a task bound to it and to items, and the blocks of these.

Statistics without edits are measured once and stand first in all `Sums`. Edits are measured in chunks, which are kept
on disk where a folder is given (see `unitscope.causal.partial`), and progress is told batch by batch, with the time
that the first batch lets expect. Units of a layer that an atlas pooled to items (`LAYER@item`) are edited at all sites
of the layer itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from unitscope.causal.bound import Bound
from unitscope.causal.effects import Sums
from unitscope.causal.partial import Partial, key_of
from unitscope.edits import Edit
from unitscope.models.address import unpooled
from unitscope.models.editing import Editable

Tick = Callable[[str, int, int], None]
CHUNK = 32
"""Edits whose statistics are kept together."""
_TELL = 60.0


@dataclass(frozen=True)
class Bench:
    """A model, a task on its items, and the block of each, [I]. `name` tells benches of one folder apart."""

    model: Editable
    task: Bound
    block: Sequence[int]
    batch_size: int = 32
    tick: Tick | None = None
    partial: Partial | None = None
    name: str = "held"

    @cached_property
    def whole(self) -> Sums:
        """The task without edits."""
        return self._sums(self.task.statistics(self.model, [Edit()], self.batch_size))

    def measured(self, edits: Sequence[Edit], what: str) -> Sums:
        """The task without edits (index 0) and under each edit alone (from 1 on). `what` is said of it meanwhile.

        Raises TaskError where a value is no finite number.
        """
        name = f"{self.name}-{what.replace(' ', '-')}"
        edits = [at_sites(edit) for edit in edits]
        whole = self.whole.statistics
        if self.partial is not None:
            self.partial.check(name, whole)
        step = CHUNK if self.partial is not None else max(len(edits), 1)
        pace = _Pace(self.tick, what, len(edits))
        parts = [whole]
        for start in range(0, len(edits), step):
            chunk = edits[start : start + step]
            parts.append(self._chunk(name, start, chunk, pace))
        return self._sums(np.concatenate(parts))

    def _chunk(self, name: str, start: int, chunk: Sequence[Edit], pace: _Pace) -> NDArray[np.float64]:
        shape = (len(chunk), *self.whole.statistics.shape[1:])
        key = key_of(chunk) if self.partial is not None else ""
        found = self.partial.read(name, start, shape, key) if self.partial is not None else None
        if found is None:
            found = self.task.statistics(
                self.model, chunk, self.batch_size, lambda n, of: pace.run(start + len(chunk) * n / of, start)
            )
            if self.partial is not None:
                self.partial.write(name, start, found, key)
        pace.told(start + len(chunk))
        return found

    def _sums(self, statistics: NDArray[np.float64]) -> Sums:
        return Sums(statistics, np.asarray(self.block, np.int64), self.task.value)


def at_sites(edit: Edit) -> Edit:
    """The edit with units of pooled layers as those of the layers that are pooled.

    >>> from unitscope.edits import zero
    >>> at_sites(zero("encoder.layer.1@item:3")).layers
    ('encoder.layer.1',)
    """
    steps = (replace(s, target=replace(s.target, layer=unpooled(s.target.layer))) for s in edit.steps)
    return Edit(tuple(steps))


class _Pace:
    """Progress in edits, and how long they will take, told once there is something to measure it by."""

    def __init__(self, tick: Tick | None, what: str, total: int) -> None:
        self.tick, self.what, self.total = tick, what, total
        self.begun = monotonic()
        self.is_told = False
        self.told(0)

    def told(self, done: int) -> None:
        """So many edits are done."""
        if self.tick is not None:
            self.tick(self.what, done, self.total)

    def run(self, done: float, start: int) -> None:
        """So many edits are done, of which all from `start` on were run just now."""
        if not self.is_told and done > start:
            self.is_told = True
            expected = (monotonic() - self.begun) / (done - start) * (self.total - start)
            if expected >= _TELL and self.tick is not None:
                self.what = f"{self.what}, about {expected / 60:.0f} min by the first batch"
        self.told(int(done))
