"""Steering from an atlas: a property of the output is changed by the units of a ranking that is kept beside it.

Half A of the documents is parted: two thirds train (what units do with the property and without, the judge's head), one
third develops (how many units, how strongly). What is reported is measured on half B. The ranking itself rests on all
of half A.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.activations import Activations
from unitscope.annex import write_annex
from unitscope.causal.continuing import Decoding
from unitscope.causal.halves import blocks_of, items_of, labels_of, model_of, with_own_bases
from unitscope.causal.steering_asked import property_of
from unitscope.causal.steering_edits import AWAY, TOWARDS, Habits, by_layer
from unitscope.causal.steering_scores import Bools, Property
from unitscope.causal.steering_sweep import LIMIT, Grid, Sweep, Tested, sweep
from unitscope.errors import TaskError, closest
from unitscope.extraction import Tick, activations_of, layers_of
from unitscope.models.address import unpooled
from unitscope.rankings import kept
from unitscope.rankings.base import ALL, Ranking
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.atlas import Atlas

KIND = "steering"
DIRECTIONS = ("property", "concept")
DEV_SHARE = 3
"""One block in so many of half A is for development."""


@dataclass(frozen=True)
class Question:
    """What is to be steered, by which units, how; see `unitscope steer`.

    `goal` is the property as `property_of` takes it. Without `how`, `add` is meant or, to remove, `mean`.
    """

    goal: str
    ranking: str
    target: str | None = None
    remove: bool = False
    how: str = ""
    direction: str = "property"
    against: str = ""
    units: tuple[int, ...] = (1, 5, 20, 100)
    strengths: tuple[float, ...] = ()
    limit: float = LIMIT
    draws: int = 5
    keep: str = ""
    prompt_words: int = 4
    tokens: int = 12
    temperature: float = 0.0
    layers: tuple[str, ...] = ()
    examples: int = 10
    max_items: int | None = None
    batch_size: int = 32
    seed: int = 0

    @property
    def rule(self) -> str:
        """How units are steered."""
        return self.how or ("mean" if self.remove else "add")

    @property
    def doses(self) -> tuple[float, ...]:
        """Strengths that are tried."""
        if self.strengths:
            return self.strengths
        by = {"mean": (0.5, 1.0), "project": (1.0,), "scale": (0.0,) if self.remove else (0.0, 2.0, 4.0, 8.0)}
        return by.get(self.rule, (0.5, 1.0, 2.0, 4.0, 8.0))

    def check(self) -> Property:
        """The property. Raises TaskError for a question that nothing can answer."""
        known = AWAY if self.remove else TOWARDS
        if self.rule not in known:
            raise TaskError(
                f"Cannot steer by '{self.how}'{' to take a property away' if self.remove else ''}.",
                expected=", ".join(known),
                fix=closest(self.how, known),
            )
        if self.direction not in DIRECTIONS:
            raise TaskError(f"Unknown direction '{self.direction}'.", expected=", ".join(DIRECTIONS))
        if self.against and self.direction != "concept":
            raise TaskError("Got a concept to steer away from.", fix="Give --direction concept with it.")
        if self.temperature < 0:
            raise TaskError(f"Got the temperature {self.temperature}.", expected="0 or more")
        if self.seed < 0:
            raise TaskError(f"Got the seed {self.seed}.", expected="0 or more")
        self.grid.check()
        return property_of(
            self.goal,
            remove=self.remove,
            keep=self.keep,
            decoding=Decoding(self.tokens, self.temperature, self.seed),
            prompt_words=self.prompt_words,
            seed=self.seed,
        )

    @property
    def grid(self) -> Grid:
        """What is tried."""
        return Grid(
            self.rule, self.units, self.doses, self.draws, self.limit, self.seed, self.examples, self.batch_size
        )


@dataclass(frozen=True)
class Steered:
    """What was found. `note` says where the judge can see the steered layer itself, else it is empty."""

    question: Question
    metric: str
    harm: str
    rising: bool
    target: str
    n_ranked: int
    sweep: Sweep
    left_out: int
    note: str


def steer(
    atlas: Atlas, question: Question, *, model: str | None = None, corpus: str | None = None, tick: Tick | None = None
) -> Steered:
    """Steer a property with the units of a ranking, chosen on half A of the atlas' documents and tested on half B.

    Raises TaskError, RankingError, StoreError and EditError for what does not fit together.
    """
    say = tick or (lambda what, done, total: None)
    asked = question.check()
    ranking = _ranking(atlas, question)
    loaded = model_of(atlas, model)
    layers = list(by_layer(ranking.units))
    values = activations_of(atlas, layers=layers, model=loaded, corpus=corpus, tick=say)
    network = with_own_bases(atlas, loaded, layers)
    train, dev, held = _parts(atlas, values, question, corpus)
    say("taking means and the judge", 0, 0)
    in_dev, in_held = (asked.bound(network, train, part[: question.max_items]) for part in (dev, held))
    habits = _habits(values, ranking, asked, question, train, network)
    say("steering", 0, 0)
    block = blocks_of(values, [item.id for item in in_held.items])
    found = sweep(ranking.units, habits, in_dev, in_held, block, rising=asked.rising, grid=question.grid)
    return Steered(
        question,
        asked.metric,
        asked.harm,
        asked.rising,
        ranking.target,
        len(ranking),
        found,
        in_held.left_out,
        _note(network, found.units, question),
    )


def save(atlas: Atlas, name: str, found: Steered) -> None:
    """Keep what was found beside the atlas, under `steering`."""
    tables = {"strengths": strength_rows(found), "sets": set_rows(found), "examples": example_rows(found)}
    write_annex(atlas, KIND, name, {key: _columns(rows) for key, rows in tables.items() if rows}, about(found))


def about(found: Steered) -> dict[str, Any]:
    """Parameters and figures, as plain values."""
    made = found.sweep
    steered = made.of("steered")
    return {
        "property": found.question.goal,
        **{key: value for key, value in asdict(found.question).items() if key != "goal"},
        "how": found.question.rule,
        "strengths": list(found.question.doses),
        "target": found.target,
        "metric": found.metric,
        "collateral": found.harm,
        "rising": found.rising,
        "n_ranked": found.n_ranked,
        "chosen_units": list(made.units),
        "chosen_strength": steered.strength if steered else None,
        "within_limit": made.within,
        "n_items": made.n_items,
        "n_dev": made.n_dev,
        "n_blocks": made.n_blocks,
        "left_out": found.left_out,
        "note": found.note,
    }


def strength_rows(found: Steered) -> list[dict[str, Any]]:
    """A row a number of units and strength that was tried on development items."""
    return [asdict(each) for each in found.sweep.tried]


def set_rows(found: Steered) -> list[dict[str, Any]]:
    """A row a set on held-out items: its success, effect against no edit (of `beyond`, against random), and harm."""
    return [_set_row(each) for each in found.sweep.sets]


def example_rows(found: Steered) -> list[dict[str, Any]]:
    """A row an example."""
    return [asdict(each) for each in found.sweep.examples]


def default_name(question: Question) -> str:
    """A name made of the question."""
    parts = (question.ranking, question.target or "", question.goal, "remove" * question.remove, question.rule)
    return re.sub(r"[^\w+=.-]", "_", ".".join(part for part in parts if part))[:100]


def planned(atlas: Atlas, question: Question) -> dict[str, Any]:
    """What steering would do, without running anything."""
    question.check()
    ranking = _ranking(atlas, question)
    sizes = sorted({min(size, len(ranking)) for size in question.units})
    steered, random = len(sizes) * len(question.doses), question.draws * len(question.doses)
    return {
        "layers": list(by_layer(ranking.units)),
        "n_ranked": len(ranking),
        "units": sizes,
        "strengths": list(question.doses),
        "dev_edits": 2 + steered + random,
        "held_out_edits": 2 + 2 * question.draws,
        "writes": question.goal.partition(":")[0] in ("words", "regex", "python"),
    }


def _set_row(each: Tested) -> dict[str, Any]:
    facts = {re.sub(r"\W+", "_", name): value for name, value in each.facts.items()}
    row = {"selection": each.selection, "draw": each.draw, "n_units": each.n_units, "strength": each.strength}
    row |= {"success": each.success, **asdict(each.gain), "collateral": each.harm.effect}
    return row | {"collateral_low": each.harm.low, "collateral_high": each.harm.high, **facts}


def _ranking(atlas: Atlas, question: Question) -> Ranking:
    found = kept.load(atlas, question.ranking)
    names = [each.target for each in found]
    ranking = kept.of_target(found, question.target or (ALL if ALL in names else names[0]))
    if question.layers:
        known = frozenset(layer.address for layer in layers_of(atlas, question.layers))
        ranking = ranking.restricted([unit for unit in ranking.units if unit.rpartition(":")[0] in known])
    if question.direction == "concept" and ranking.target == ALL:
        raise TaskError("The ranking is for no concept.", fix="Name one of its concepts with --concept.")
    return ranking


def _parts(
    atlas: Atlas, values: Activations, question: Question, corpus: str | None
) -> tuple[list[Item], list[Item], list[Item]]:
    """Items to train, to develop and to test on, with their labels where these are needed."""
    items = items_of(values, labels_of(atlas, corpus) if question.goal.startswith("label:") else None)
    side = split(values, question.seed)
    parts: tuple[list[Item], list[Item], list[Item]] = ([], [], [])
    for item in items:
        if item.id in side:
            parts[side[item.id]].append(item)
    return parts


def split(values: Activations, seed: int) -> dict[str, int]:
    """Of each item with sites: 0 to train, 1 to develop, 2 to test. Blocks stay together.

    Raises TaskError where half A has too few blocks.
    """
    halves = values.halves
    ours = np.unique(halves.block[halves.a])
    if len(ours) < 2:
        raise TaskError(f"Half A has {len(ours)} block of documents.", expected="2 or more", fix="Use a larger corpus.")
    shuffled = np.random.default_rng(seed).permutation(ours)
    for_dev = frozenset(shuffled[: max(1, len(ours) // DEV_SHARE)].tolist())
    found: dict[str, int] = {}
    for item, half, block in zip(values.sites.item.tolist(), halves.half.tolist(), halves.block.tolist()):
        found.setdefault(values.item_ids[item], 2 if half else int(block in for_dev))
    return found


def _habits(
    values: Activations, ranking: Ranking, asked: Property, question: Question, train: Sequence[Item], model: Any
) -> Habits:
    items = {item.id: item for item in train}
    there = np.array([name in items for name in values.item_ids], np.bool_)[values.sites.item]
    if question.direction == "concept":
        contrasts = [_concept_masks(values, ranking.target, question.against)]
    elif question.rule in ("mean", "scale"):
        contrasts = []
    else:
        contrasts = asked.contrasts(values, items, model)
    columns = np.sort(ranking.indices(values.addresses))
    names = [values.addresses[at] for at in columns.tolist()]
    widths = {layer.address: layer.width for layer in values.layers}
    own = values.values(columns, there)
    return Habits.of_values(
        names, own, np.ones(len(own), np.bool_), [(first[there], second[there]) for first, second in contrasts], widths
    )


def _concept_masks(values: Activations, concept: str, against: str) -> tuple[Bools, Bools]:
    """Sites with a concept, and those with another (or known sites without it)."""
    mask, known = _held(values, concept)
    if not against:
        return mask, known & ~mask
    other, _ = _held(values, against)
    return mask & ~other, other & ~mask


def _held(values: Activations, concept: str) -> tuple[Bools, Bools]:
    table = values.concepts
    if concept not in table.names:
        raise TaskError(f"This atlas has no concept '{concept}'.", fix=closest(concept, table.names))
    at = table.names.index(concept)
    mask: NDArray[np.bool_] = np.zeros(values.n_sites, np.bool_)
    mask[table.sites_of(at)] = True
    known = table.known.get(table.categories[at])
    return mask, np.ones(values.n_sites, np.bool_) if known is None else np.asarray(known, np.bool_)


def _note(model: Any, units: Sequence[str], question: Question) -> str:
    """Said where a head judges the very hidden state that is steered."""
    if not question.goal.startswith("label:"):
        return ""
    layers = {layer.address: layer for layer in model.layers()}
    last = max((layer.order for layer in layers.values() if layer.role == "hidden state"), default=None)
    steered = [unpooled(address) for address in by_layer(units)]
    at = [address for address in steered if last is not None and address in layers and layers[address].order >= last]
    if not at:
        return ""
    return f"The judge reads '{at[0]}' itself: that steering it works says nothing. Rank units of a lower layer."


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Columns of rows, which may lack some; text as objects."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    found: dict[str, Any] = {}
    for name in names:
        column = [row.get(name, float("nan")) for row in rows]
        found[name] = np.array(column, object) if isinstance(column[0], str) else np.array(column)
    return found
