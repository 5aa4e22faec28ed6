"""Where effects fall, for tasks with one number an item: on items with a concept and on items without.

A sentence's vector or class belongs to no word. What taking out a unit does is then told of the items in which the
concept holds at one site or more, beside all others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from unitscope.causal.bench import at_sites
from unitscope.causal.bound import Bound, ratio
from unitscope.causal.effects import ROUNDING, contrast, effect_of
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.editing import Editable
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.activations import Activations
    from unitscope.causal.sweeps import Remover, Specific


def specific_items(
    model: Editable,
    task: Bound,
    matches: Sequence[tuple[str, str]],
    values: Activations,
    block: Sequence[int],
    remove: Remover,
    batch_size: int,
) -> list[Specific]:
    """What `unitscope.causal.sweeps.specificity` gives, with items in place of sites.

    An item counts where its concept is known at a site. Raises TaskError for values that are no means over numbers.
    """
    from unitscope.causal.sweeps import Specific

    if task.value is not ratio:
        raise TaskError(
            "This task's value is one of all items together.", expected="a task with numbers of tokens, words or items"
        )
    units = list(dict.fromkeys(unit for unit, _ in matches))
    found = task.statistics(model, [Edit(), *(at_sites(remove([unit])) for unit in units)], batch_size)
    half = found.shape[2] // 2
    sums, counts = found[..., :half].sum(axis=2), found[0, :, half:].sum(axis=1)
    least = ROUNDING * float(np.abs(sums[0]).sum() / max(counts.sum(), 1.0))
    held, made = np.asarray(block, np.int64), []
    for unit, concept in matches:
        change = sums[1 + units.index(unit)] - sums[0]
        there, known = _items_with(values, concept, task.items)
        parts = [(np.where(mask, change, 0.0), np.where(mask, counts, 0.0)) for mask in (there, known & ~there)]
        made.append(
            Specific(
                unit,
                concept,
                effect_of(*parts[0], held, least),
                effect_of(*parts[1], held, least),
                contrast(parts[0], parts[1], held, least),
                int(parts[0][1].sum()),
                int(parts[1][1].sum()),
            )
        )
    return made


def _items_with(
    values: Activations, concept: str, items: Sequence[Item]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Items in which a concept holds at a site, and those in which it is known at one."""
    from unitscope.causal.sweeps import mask_of_concept

    mask, known = mask_of_concept(values, concept)
    n, index = len(values.item_ids), {name: at for at, name in enumerate(values.item_ids)}
    found = [np.bincount(values.sites.item[each[:-1]], minlength=n) > 0 for each in (mask, known)]
    at = np.array([index[item.id] for item in items], np.intp)
    return found[0][at], found[1][at]
