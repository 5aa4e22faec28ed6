"""Many edits over many items: one number (or tensor) for each edit and item, with what lies below the edits run once.

Items are batched by length. For each batch and each group of edits that begin at one place the forward below is
recorded once, and edits run as many at a time as `positions` allows; see `unitscope.models.replay`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from unitscope.edits import Edit
from unitscope.errors import EditError
from unitscope.models.editing import Editing
from unitscope.models.placing import Editable
from unitscope.models.record import Boundary
from unitscope.models.replay import Fed, boundary_of, inputs, replayed
from unitscope.models.rows import announced
from unitscope.sites import Item

POSITIONS = 8192
"""Positions (cells of the input's pictures: see `_size`) that run at once, by default."""
PICTURE = 256
"""What one picture counts for among these."""
Output = Callable[[Any, Sequence[Item]], Any]
"""From what the module gives for a batch of items, and these, to one entry a row: a tensor [B, ...] or a sequence."""
Counted = Callable[[int, int], None]
"""Told how much is done, of how much."""


def many(
    model: Editable,
    items: Sequence[Item],
    edits: Sequence[Edit],
    output: Output | Sequence[Output],
    *,
    batch_size: int = 32,
    positions: int = POSITIONS,
    tick: Counted | None = None,
) -> list[list[Any]]:
    """What `output` makes of every item under every edit, each alone: `found[edit][item]`, in the order given.

    `output` is called once for each batch and edit, with what the module gives for the batch's items. An edit that does
    nothing (`Edit()`) gives the unedited values. Several outputs are one an edit. `tick` is told after each batch how
    many pairs of an edit and a batch are done, of how many. `positions` bounds how much runs at once; where a model
    cannot be replayed each edit runs in full, with a ReplayWarning.

    Raises EditError where `output` does not give one entry an item.
    """
    found: list[list[Any]] = [[None] * len(items) for _ in edits]
    made = [output] * len(edits) if callable(output) else list(output)
    # The longest first: what later batches need fits where earlier ones were, else the heap grows with every batch.
    all_batches, done = list(batches(model, items, batch_size))[::-1], 0
    for indices, size in all_batches:
        batch = [items[index] for index in indices]
        for member, mine in outputs(model, batch, edits, max(1, positions // max(1, size * len(batch)))):
            entries = made[member](mine, batch)
            if len(entries) != len(batch):
                raise EditError(f"'output' gave {len(entries)} entries for {len(batch)} items.", expected="one an item")
            for index, entry in zip(indices, entries):
                found[member][index] = entry
        done += len(edits)
        if tick is not None:
            tick(done, len(all_batches) * len(edits))
    return found


def outputs(
    model: Editable, batch: Sequence[Item], edits: Sequence[Edit], n: int, fed: Fed | None = None
) -> Iterator[tuple[int, Any]]:
    """What the module gives for one batch of items under each edit, with the edit's index; `n` edits run at once.

    Edits come by where they begin, see `grouped`. `fed` as for `unitscope.models.replay.replayed`.
    """
    for members, boundary in grouped(model, edits):
        replay = None
        if boundary is not None:
            replay = replayed(model, batch, [edits[member] for member in members], fed=fed)
        for start in range(0, len(members), n):
            chunk = members[start : start + n]
            if replay is None:
                yield from zip(chunk, _plain(model, batch, len(chunk), fed))
            else:
                yield from zip(chunk, replay.run([edits[member] for member in chunk]))


def _plain(model: Editable, batch: Sequence[Item], n: int, fed: Fed | None) -> list[Any]:
    args, kwargs, known = inputs(model, batch, 1, cache=False, fed=fed)
    with torch.no_grad(), announced(known), Editing(model, []):
        return [model.module(*args, **kwargs)] * n


def grouped(model: Editable, edits: Sequence[Edit]) -> Iterator[tuple[list[int], Boundary | None]]:
    """Indices of the edits that begin at one place, from the first place on; None for those that do nothing."""
    groups: dict[Boundary | None, list[int]] = {}
    for index, edit in enumerate(edits):
        groups.setdefault(boundary_of(model, [edit]), []).append(index)
    for boundary in sorted(groups, key=lambda each: (-1, -1) if each is None else each.rank):
        yield groups[boundary], boundary


def batches(model: Editable, items: Sequence[Item], batch_size: int) -> Iterator[tuple[list[int], int]]:
    """Indices of items for one batch, of about one length (exactly one, where padding is read), and that length."""
    feed = getattr(model, "feed", None)
    if feed is None:
        for start in range(0, len(items), batch_size):
            yield list(range(start, min(start + batch_size, len(items)))), PICTURE
        return
    grids = [grid for grid in model.grids if all(grid in item.grids for item in items)]
    rows = [[row.n_positions for row in feed.rows(grid, [item.grids[grid] for item in items])] for grid in grids]
    lengths = list(zip(*rows))
    order = sorted(range(len(items)), key=lambda index: (lengths[index], index))
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) == batch_size or (not feed.pads and lengths[index] != lengths[batch[0]])):
            yield batch, _longest(lengths, batch)
            batch = []
        batch.append(index)
    if batch:
        yield batch, _longest(lengths, batch)


def _longest(lengths: Sequence[tuple[int, ...]], batch: Sequence[int]) -> int:
    return sum(max(lengths[index][grid] for index in batch) for grid in range(len(lengths[0])))
