"""Read, write, cause: what a unit reads, what its weights write, and what the network does without it, side by side.

Reading is a correlation on a corpus, writing a statement of weights alone (the lens: nostalgebraist 2020), and only
removal shows what either is worth here. So for each unit and the concept that it is reported for: what its removal
costs where the concept is and elsewhere, under two edits (zero and mean), since one alone may only show what an odd
value does; and whether the tokens that it is said to raise become less likely without it, at sites of half B where it
is strongly on (beyond a decile of half A).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from unitscope.causal.bench import Bench, at_sites
from unitscope.causal.bound import Floats, Value, of_class
from unitscope.causal.effects import ROUNDING, Effect, contrast, effect_of
from unitscope.causal.sweeps import Remover, by_item, mask_of_concept, site_of_token
from unitscope.causal.targets import hidden_state, token_logits
from unitscope.causal.verdicts import harm, verdict
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.many import Counted, many
from unitscope.models.torch import TorchModel
from unitscope.sites import Item
from unitscope.stats.discoveries import adjust

if TYPE_CHECKING:
    from unitscope.activations import Activations

DECILE = 0.9
NO_EFFECT = Effect(*[float("nan")] * 4)
Numbers = tuple[Floats, Floats]
"""Sums and counts by item, [I] each."""


@dataclass(frozen=True)
class Reading:
    """A reported match: how well the unit reads the concept (AUROC, and within word form), and which end does.

    `sign` is -1 where low values read it. `tokens` are those that its lens raises at this end, and `token_ids` their
    numbers; none without a lens.
    """

    unit: str
    concept: str
    reads: float
    within: float
    kind: str = ""
    sign: int = 1
    tokens: tuple[str, ...] = ()
    token_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Cause:
    """What a unit reads, writes and does.

    `inside`, `outside` and `difference` are effects at the concept (`n_inside` numbers), elsewhere, and one less the
    other; `other` is the effect at the concept under the other edit and `apart` that of the first less it. `written` is
    the change of its tokens' mean log-probability at the `n_written` tokens where it is strongly on. `q` is that of the
    difference, among those asked for.
    """

    reading: Reading
    inside: Effect
    outside: Effect
    difference: Effect
    other: Effect
    apart: Effect
    written: Effect
    n_inside: int
    n_written: int
    q: float
    verdict: str
    contradiction: str


@dataclass(frozen=True)
class _Found:
    inside: Effect
    outside: Effect
    difference: Effect
    other: Effect
    apart: Effect
    n_inside: int
    written: Effect = NO_EFFECT
    n_written: int = 0


def causes_of(
    bench: Bench,
    readings: Sequence[Reading],
    values: Activations,
    removers: tuple[Remover, Remover],
    *,
    edits: tuple[str, str] = ("zero", "mean"),
    rising: bool = False,
) -> list[Cause]:
    """Reading, writing and doing of units. `removers` are the edit that counts and the one that it is compared with.

    Tasks with a number a token are judged at sites with the concept and without. Of other tasks the concept must be a
    class: its value is set against that of the other classes together. Raises TaskError for tasks with neither, and
    where no concept is a class.
    """
    if bench.task.places and bench.task.read is not None:
        found = _at_sites(bench, readings, values, removers)
    else:
        readings, found = _by_class(bench, readings, removers)
    q = adjust(np.array([each.difference.p for each in found], np.float64)).tolist()
    made = []
    for reading, each, rate in zip(readings, found, q):
        told = verdict(harm(each.difference, rising), harm(each.inside, rising), rate)
        against = contradictions(reading, each, told, edits, rising)
        made.append(
            Cause(
                reading, each.inside, each.outside, each.difference, each.other, each.apart, each.written,
                each.n_inside, each.n_written, rate, told, "; ".join(against),
            )
        )  # fmt: skip
    return made


def contradictions(
    reading: Reading, found: _Found | Cause, told: str, edits: tuple[str, str] = ("zero", "mean"), rising: bool = False
) -> list[str]:
    """Where reading, writing and doing do not fit together, in words. Without intervals nothing is said.

    `edits` are names of the edit that counts and of the other.
    """
    inside, other, apart = (harm(each, rising) for each in (found.inside, found.other, found.apart))
    written, said = found.written, []
    if inside.low == inside.low and inside.low <= 0:
        said.append(f"reads {reading.concept}, but its removal costs nothing there that can be told from 0")
    if told == "elsewhere":
        said.append(f"costs more where {reading.concept} is not")
    if reading.tokens and written.low == written.low:
        named = ", ".join(f"'{each.strip()}'" for each in reading.tokens[:3])
        if written.low > 0:
            said.append(f"its weights raise {named}, which become more likely without it")
        elif written.high >= 0:
            said.append(f"its weights raise {named}, which do not become less likely without it")
    if (inside.low > 0) != (other.low > 0) and not apart.low <= 0 <= apart.high and apart.low == apart.low:
        costs = edits[0] if inside.low > 0 else edits[1]
        said.append(f"{edits[0]} and {edits[1]} removal disagree: only {costs} costs anything")
    return said


# --- tasks with a number a token


def _at_sites(
    bench: Bench, readings: Sequence[Reading], values: Activations, removers: tuple[Remover, Remover]
) -> list[_Found]:
    units = list(dict.fromkeys(each.unit for each in readings))
    by_unit = {each.unit: each for each in readings}
    sites = site_of_token(bench.task, values)
    on = _on(bench.task.items, units, by_unit, values, sites)
    numbers = [_Reader(bench, [by_unit[unit]], [on[unit]]) for unit in units]
    whole = _Reader(bench, [by_unit[unit] for unit in units], [on[unit] for unit in units])
    edits = [Edit(), *(at_sites(remove([unit])) for remove in removers for unit in units)]
    found = many(
        bench.model,
        bench.task.items,
        edits,
        [whole, *numbers, *numbers],
        batch_size=bench.batch_size,
        tick=_ticking(bench),
    )
    block = np.asarray(bench.block, np.int64)
    least = ROUNDING * float(np.abs(np.concatenate([each[0] for each in found[0]])).mean())
    made = []
    for reading in readings:
        at = units.index(reading.unit)
        first, second = (
            _loss_parts(found[0], found[1 + at + len(units) * k], sites, reading.concept, values) for k in (0, 1)
        )
        inside, outside = (effect_of(*part, block, least) for part in first)
        made.append(
            _Found(
                inside,
                outside,
                contrast(first[0], first[1], block, least),
                effect_of(*second[0], block, least),
                effect_of(first[0][0] - second[0][0], first[0][1], block, least),
                int(first[0][1].sum()),
                *(_written(found[0], found[1 + at], at, block) if reading.token_ids else (NO_EFFECT, 0)),
            )
        )
    return made


def _ticking(bench: Bench) -> Counted | None:
    tick = bench.tick
    return None if tick is None else lambda done, total: tick("taking units of matches out", done, total)


class _Reader:
    """Reads each item's numbers, and the mean log-probability of units' tokens where these are on."""

    def __init__(self, bench: Bench, readings: Sequence[Reading], on: Sequence[Mapping[str, NDArray[np.int64]]]):
        self.bench, self.readings, self.on = bench, readings, on

    def __call__(self, output: Any, batch: Sequence[Item]) -> list[tuple[Floats, list[Floats]]]:
        read = self.bench.task.read
        assert read is not None
        numbers = [part.detach().double().cpu().numpy() for part in read(output, batch)]
        written = [self._written(output, batch, *each) for each in zip(self.readings, self.on)]
        return [(one, [part[row] for part in written]) for row, one in enumerate(numbers)]

    def _written(
        self, output: Any, batch: Sequence[Item], reading: Reading, on: Mapping[str, NDArray[np.int64]]
    ) -> list[Floats]:
        """Of each item the sum over its positions, and how many there are, [2]."""
        places = [on[item.id] for item in batch]
        made = [np.zeros(2) for _ in batch]
        model = self.bench.model
        if not reading.token_ids or not sum(map(len, places)) or not isinstance(model, TorchModel):
            return made
        hidden = hidden_state(output)
        states = torch.cat([hidden[row, torch.from_numpy(each)] for row, each in enumerate(places)])
        logits = token_logits(model, states)
        chosen = logits[:, list(reading.token_ids)].double().mean(dim=1) - torch.logsumexp(logits.double(), dim=1)
        parts = np.split(chosen.detach().cpu().numpy(), np.cumsum([len(each) for each in places])[:-1])
        return [np.array([part.sum(), len(part)]) for part in parts]


def _on(
    items: Sequence[Item],
    units: Sequence[str],
    readings: Mapping[str, Reading],
    values: Activations,
    sites: Sequence[NDArray[np.int64]],
) -> dict[str, dict[str, NDArray[np.int64]]]:
    """Of each unit and item the tokens after sites where it is beyond its decile of half A, at the end that reads."""
    place = {address: at for at, address in enumerate(values.addresses)}
    columns = np.array(sorted(place[unit] for unit in units), np.int64)
    held = values.values(columns)
    found = {}
    for unit in units:
        mine = readings[unit].sign * held[:, int(np.searchsorted(columns, place[unit]))]
        on = np.append(mine > np.quantile(mine[values.halves.a], DECILE), False)
        found[unit] = {item.id: np.flatnonzero(on[each]) for item, each in zip(items, sites)}
    return found


def _loss_parts(
    plain: Sequence[Any], edited: Sequence[Any], sites: Sequence[NDArray[np.int64]], concept: str, values: Activations
) -> tuple[Numbers, Numbers]:
    """Sums and counts by item of changes of the numbers, where the concept is and where it is not."""
    change = np.concatenate([one[0] - base[0] for one, base in zip(edited, plain)])
    owner = np.repeat(np.arange(len(sites)), [len(part) for part in sites])
    flat = np.concatenate(sites)
    mask, known = mask_of_concept(values, concept)
    there = (flat >= 0) & known[flat]
    return by_item(change, there & mask[flat], owner), by_item(change, there & ~mask[flat], owner)


def _written(plain: Sequence[Any], edited: Sequence[Any], at: int, block: NDArray[np.int64]) -> tuple[Effect, int]:
    """The change of a unit's tokens where it is on, and at how many tokens that is."""
    change = np.array([one[1][0] for one in edited]) - np.array([base[1][at] for base in plain])
    n = np.array([one[1][0][1] for one in edited])
    return effect_of(change[:, 0], n, block), int(n.sum())


# --- tasks whose numbers have classes


def _by_class(
    bench: Bench, readings: Sequence[Reading], removers: tuple[Remover, Remover]
) -> tuple[list[Reading], list[_Found]]:
    """Matches whose concept is a class of the task, and what is found of them."""
    names = bench.task.classes
    if len(names) < 2:
        raise TaskError(
            "This task has neither a number for each token nor classes.", expected="lm, or a task with classes"
        )
    classes = {each.concept: class_of(each.concept, names) for each in readings}
    kept = [each for each in readings if classes[each.concept] >= 0]
    if not kept:
        raise TaskError(
            f"None of the {len(readings)} matches is of a class of this task.",
            expected=f"concepts such as {', '.join(names[:5])}",
        )
    units = list(dict.fromkeys(each.unit for each in kept))
    sums = bench.measured([remove([unit]) for remove in removers for unit in units], "taking units of matches out")
    found = []
    for each in kept:
        at, c = 1 + units.index(each.unit), classes[each.concept]
        own, others = of_class(c), of_others(c)
        found.append(
            _Found(
                sums.effect(at, value=own),
                sums.effect(at, value=others),
                sums.effect(at, value=_less(own, others)),
                sums.effect(at + len(units), value=own),
                sums.effect(at, at + len(units), value=own),
                int(np.sum([(part == c).sum() for part in bench.task.of_number])),
            )
        )
    return kept, found


def class_of(concept: str, names: Sequence[str]) -> int:
    """Index of the class that a concept names, with or without its category and column; -1 for none.

    >>> class_of("labels:topic=World", ["Sports", "World"]), class_of("upos:NOUN", ["NOUN"]), class_of("words:a", ["b"])
    (1, 0, -1)
    """
    bare = concept.partition(":")[2]
    meant = (concept, bare, bare.partition("=")[2])
    return next((at for at, name in enumerate(names) if name and name in meant), -1)


def of_others(index: int) -> Value:
    """The mean of all numbers but one class', of the columns that `ratio` knows."""

    def value(sums: Floats) -> Floats:
        n = sums.shape[-1] // 2
        top, bottom = (part.sum(axis=-1) - part[..., index] for part in (sums[..., :n], sums[..., n:]))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(top / bottom)

    return value


def _less(one: Value, other: Value) -> Value:
    return lambda sums: np.asarray(one(sums) - other(sums))
