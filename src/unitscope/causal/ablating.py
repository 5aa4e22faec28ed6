"""An ablation from an atlas: task, items, units and edits by their names, and every sweep that is asked for.

Rankings, means, quantiles, heads and what is chosen greedily rest on half A of the atlas' documents; effects are
measured on half B.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from unitscope import edits
from unitscope.activations import Activations
from unitscope.causal.asking import Asked, asked_of
from unitscope.causal.bench import Bench
from unitscope.causal.halves import blocks_of, halves_of, items_of, labels_of, model_of, with_own_bases
from unitscope.causal.named import Given, chance_of, needs_labels, task_of
from unitscope.causal.partial import Partial
from unitscope.causal.question import Question
from unitscope.causal.sweeps import Curve, Remover, Specific, curve_on, specificity, to_means
from unitscope.causal.sweeps_causes import Cause, causes_of
from unitscope.causal.sweeps_dose import Doses, dose_response
from unitscope.causal.sweeps_sets import Greedy, Pairs, greedy, pairs_of
from unitscope.causal.sweeps_single import Single, single
from unitscope.causal.tasks import Task
from unitscope.errors import TaskError
from unitscope.extraction import activations_of
from unitscope.masks import Mask
from unitscope.rankings.base import Origin
from unitscope.sites import ITEM, Item
from unitscope.store import fingerprint

if TYPE_CHECKING:
    from unitscope.atlas import Atlas

KIND = "effects"
Tick = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Ablated:
    """What was found: the task, its unedited value on held-out items, and the sweeps that were asked for."""

    question: Question
    metric: str
    rising: bool
    unedited: float
    n_items: int
    n_numbers: int
    n_blocks: int
    left_out: int
    chance: float
    curve: Curve | None = None
    single: Single | None = None
    specific: tuple[Specific, ...] = ()
    doses: tuple[Doses, ...] = ()
    pairs: Pairs | None = None
    greedy: Greedy | None = None
    causes: tuple[Cause, ...] = ()
    items: tuple[str, ...] = field(default=(), repr=False)


def ablate(
    atlas: Atlas,
    question: Question,
    *,
    model: str | None = None,
    corpus: str | None = None,
    tick: Tick | None = None,
    resume: bool = False,
) -> Ablated:
    """Measure a task on held-out items of an atlas' corpus, with its model whole and without units.

    With `resume` what is measured is kept beside the atlas until `effects.save` keeps the whole, so that a run that
    was killed goes on where it was. Raises TaskError, RankingError, StoreError and EditError for what does not fit
    together.
    """
    from unitscope.study.run import silent

    question.check()
    say = tick or silent
    asked = asked_of(atlas, question)
    loaded = model_of(atlas, model)
    # Without values to read, sites and concepts of the first layer are enough: a short pass.
    first = sorted(asked.layers, key=atlas.layers.index)[:1]
    read = asked.layers if question.reads_values else first
    values = activations_of(atlas, layers=read, model=loaded, corpus=corpus, tick=say)
    network = with_own_bases(atlas, loaded, asked.layers)
    labels = labels_of(atlas, corpus) if needs_labels(question.task) else None
    train, held = halves_of(values, items_of(values, labels))
    resample = atlas.manifest["study"]["resample"]
    given = Given(network, train, values, tuple(asked.layers), question.seed, resample)
    task = task_of(question.task, given)
    common: dict[str, Any] = {"batch_size": question.batch_size, "tick": say}
    common["partial"] = partial_of(atlas, question) if resume else None

    def bench(items: Sequence[Item], name: str) -> Bench:
        bound = task.bound(network, items[: question.max_items])
        return Bench(network, bound, blocks_of(values, [item.id for item in bound.items]), name=name, **common)

    testing = bench(held, "b")
    choosing = bench(train, "a") if question.chooses else testing
    found = _swept(atlas, question, asked, values, task, choosing, testing)
    whole, bound = testing.whole, testing.task
    return Ablated(
        question,
        task.metric,
        task.rising,
        float(whole.values[0]),
        len(bound.items),
        int(whole.counts.sum()),
        len(set(testing.block)),
        bound.left_out,
        chance_of(task, bound),
        items=tuple(item.id for item in bound.items),
        **found,
    )


def partial_of(atlas: Atlas, question: Question) -> Partial:
    """Where what a question's sweeps have measured is kept until they are done."""
    key = fingerprint([str(atlas.manifest["key"]), asdict(question)])[:16]
    return Partial(atlas.path / KIND / f".partial-{key}")


def _swept(
    atlas: Atlas,
    question: Question,
    asked: Asked,
    values: Activations,
    task: Task,
    choosing: Bench,
    testing: Bench,
) -> dict[str, Any]:
    """The sweeps that are asked for, by their names in `Ablated`."""
    means = (
        to_means(values, asked.touched, values.halves.a) if question.edit == "mean" or asked.readings else edits.zero
    )
    remove: Remover = means if question.edit == "mean" else edits.zero
    other: Remover = edits.zero if question.edit == "mean" else means
    draws: dict[str, Any] = {"remove": remove, "n_draws": question.draws, "seed": question.seed}
    found: dict[str, Any] = {}
    ranking = asked.ranking
    if ranking is not None:
        found["curve"] = curve_on(testing, ranking, sizes=question.units, keep=question.retain, **draws)
    if asked.single:
        found["single"] = single(choosing, testing, asked.single, rising=task.rising, remove=remove)
        ranking = ranking or found["single"].rankings(importance_origin(atlas, question))[0]
    if question.pairs:
        assert ranking is not None
        found["pairs"] = pairs_of(testing, ranking.top(question.pairs), remove=remove)
    if question.greedy:
        assert ranking is not None
        how = {"rising": task.rising, "n_candidates": question.candidates, **draws}
        found["greedy"] = greedy(choosing, testing, ranking, question.greedy, **how)
    if asked.matches:
        how = {"remove": remove, "batch_size": question.batch_size}
        found["specific"] = tuple(specificity(testing.model, testing.task, asked.matches, values, testing.block, **how))
    found["doses"] = tuple(_dosed(question, asked, values, testing, unit) for unit in asked.doses)
    if asked.readings:
        names = (question.edit, "zero" if question.edit == "mean" else "mean")
        pair = (remove, other)
        found["causes"] = tuple(causes_of(testing, asked.readings, values, pair, edits=names, rising=task.rising))
    return found


def importance_origin(atlas: Atlas, question: Question) -> Origin:
    """Origin of the order of single units."""
    named = ("task", "edit", "single", "max_items")
    parameters = {name: getattr(question, name) for name in named}
    return Origin(
        "importance", parameters | {"single": list(question.single)}, question.seed, str(atlas.manifest["key"])
    )


def _dosed(question: Question, asked: Asked, values: Activations, bench: Bench, unit: str) -> Doses:
    column = np.array([values.addresses.index(unit)])
    chosen = values.halves.a
    own = values.values(column, chosen)[:, 0].astype(np.float64)
    concept = asked.concepts.get(unit, "") if question.at_concept else ""
    where = mask_at(values, concept, bench.task.items) if concept else None
    return dose_response(
        bench, unit, own, quantiles=question.quantiles, where=where, concept=concept, seed=question.seed
    )


def mask_at(values: Activations, concept: str, items: Sequence[Item]) -> Mask:
    """Sites of items where a concept of their activations holds; whole items where the concept is of these."""
    if concept not in values.concepts.names:
        raise TaskError(f"There is no concept '{concept}' among these activations.")
    held = np.zeros(values.n_sites, np.bool_)
    held[values.concepts.sites_of(values.concepts.names.index(concept))] = True
    index = {name: at for at, name in enumerate(values.item_ids)}
    places: dict[int, list[int]] = {}
    for at in np.flatnonzero(held).tolist():
        places.setdefault(int(values.sites.item[at]), []).append(int(values.sites.position[at]))
    if values.grid == ITEM:
        return Mask.items(*(item.id for item in items if index.get(item.id, -1) in places))
    drawn = {}
    for item in items:
        mask = np.zeros(item.grids[values.grid].n_sites, np.bool_)
        mask[places.get(index.get(item.id, -1), [])] = True
        drawn[item.id] = mask
    return Mask.drawn(drawn, values.grid)
