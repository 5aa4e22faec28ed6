"""What an ablation touches, by names: its ranking, single units, matches and readings, looked up in the atlas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from unitscope.causal.question import Question
from unitscope.causal.sweeps import layers_of
from unitscope.causal.sweeps_causes import Reading
from unitscope.errors import TaskError, closest
from unitscope.extraction import layers_of as atlas_layers
from unitscope.rankings import kept
from unitscope.rankings.base import ALL, Ranking, split_address

if TYPE_CHECKING:
    from unitscope.atlas import Atlas


@dataclass(frozen=True)
class Asked:
    """Units of a question, found in its atlas. `layers` are all of theirs; `concepts` those of units that are dosed."""

    ranking: Ranking | None
    single: tuple[str, ...]
    matches: tuple[tuple[str, str], ...]
    readings: tuple[Reading, ...]
    layers: tuple[str, ...]
    doses: tuple[str, ...] = ()
    concepts: dict[str, str] = field(default_factory=dict)

    @property
    def touched(self) -> list[str]:
        """All units that may be taken out."""
        ranked = self.ranking.units if self.ranking else ()
        return [*ranked, *self.single, *(unit for unit, _ in self.matches), *(each.unit for each in self.readings)]


def asked_of(atlas: Atlas, question: Question) -> Asked:
    """Look up the units of a question. Raises RankingError, TaskError, StoreError for what is not in the atlas."""
    single = tuple(
        f"{layer.address}:{unit}"
        for layer in (atlas_layers(atlas, question.single) if question.single else ())
        for unit in range(layer.width)
    )
    ranking, doses = _ranking(atlas, question), _checked(atlas, question.doses)
    listed = [(unit_of(row), str(row["concept"])) for row in _matches(atlas, question, question.matches)]
    matches = tuple(dict.fromkeys([*_named(atlas, question), *listed]))
    readings = tuple(_reading(atlas, row) for row in _matches(atlas, question, question.causes))
    concepts = {unit: _concept(atlas, unit) for unit in doses} if question.at_concept else {}
    named = [*(ranking.units if ranking else ()), *single, *doses]
    named += [*(unit for unit, _ in matches), *(each.unit for each in readings)]
    return Asked(ranking, single, matches, readings, tuple(layers_of(named)), doses, concepts)


def unit_of(row: Any) -> str:
    """Address of the unit that a row of a table is about."""
    return f"{row['layer']}:{row['unit']}"


def _ranking(atlas: Atlas, question: Question) -> Ranking | None:
    if question.ranking is None:
        return None
    found = kept.load(atlas, question.ranking)
    names = [each.target for each in found]
    ranking = kept.of_target(found, question.target or (ALL if ALL in names else names[0]))
    if question.layers:
        known = {layer.address for layer in atlas_layers(atlas, question.layers)}
        ranking = ranking.restricted([unit for unit in ranking.units if split_address(unit)[0] in known])
    return ranking


def _matches(atlas: Atlas, question: Question, n: int) -> Sequence[Any]:
    """The n matches of the layers that are best supported: contextual ones first, as `unitscope show` orders them."""
    if not n:
        return []
    known = [layer.address for layer in atlas_layers(atlas, question.layers)]
    rows = atlas.sql(
        "select layer, unit, concept, score, within_form, kind, sign from matches where measure = 'auroc' "
        f"and layer in ({', '.join('?' * len(known))}) order by (kind = 'contextual') desc, low is null, "
        "case when kind = 'contextual' then least(coalesce(low, score), within_form_position) "
        "else coalesce(low, score) end desc, score desc, layer, unit, concept limit ?",
        [*known, n],
    )
    if not rows:
        raise TaskError("This atlas reports no matches by AUROC in these layers.", fix="Choose others with --layers.")
    return rows


def _reading(atlas: Atlas, row: Any) -> Reading:
    """A match with the tokens that its unit raises where it detects, beyond what a random direction raises."""
    sign = int(row["sign"])
    written: Sequence[Any] = []
    if atlas.has("writes"):
        written = atlas.sql(
            "select token, token_id, value, chance from writes where layer = ? and unit = ? and kind = 'lens' "
            "and sign = ? order by rank",
            [row["layer"], row["unit"], sign],
        )
    told = [each for each in written if abs(each["value"]) > abs(each["chance"])]
    within = row["within_form"]
    return Reading(
        unit_of(row),
        str(row["concept"]),
        float(row["score"]),
        float("nan") if within is None else float(within),
        str(row["kind"] or ""),
        sign,
        tuple(str(each["token"]) for each in told),
        tuple(int(each["token_id"]) for each in told),
    )


def _named(atlas: Atlas, question: Question) -> list[tuple[str, str]]:
    """Units and concepts that were named one by one."""
    parts = [text.partition("=") for text in question.named]
    _checked(atlas, [unit for unit, *_ in parts])
    known = {str(row["concept"]) for row in atlas.sql("select concept from concepts")}
    for concept in (concept for *_, concept in parts if concept):
        if concept not in known:
            raise TaskError(f"There is no concept '{concept}' in this atlas.", fix=closest(concept, sorted(known)))
    return [(unit, concept or _concept(atlas, unit, "Name one: LAYER:UNIT=CONCEPT.")) for unit, _, concept in parts]


def _checked(atlas: Atlas, units: Sequence[str]) -> tuple[str, ...]:
    """Units, none twice. Raises TaskError for those that the atlas has not."""
    for unit in units:
        layer, index = split_address(unit)
        width = atlas_layers(atlas, [layer])[0].width
        if index >= width:
            raise TaskError(f"Unit '{unit}' is out of range.", expected=f"0 to {width - 1}")
    return tuple(dict.fromkeys(units))


def _concept(atlas: Atlas, unit: str, fix: str = "Leave --at-concept out.") -> str:
    layer, index = split_address(unit)
    rows = atlas.sql(
        "select concept from matches where measure = 'auroc' and layer = ? and unit = ? order by slot limit 1",
        [layer, index],
    )
    if not rows:
        raise TaskError(f"The atlas reports no concept for '{unit}'.", fix=fix)
    return str(rows[0]["concept"])


def planned(atlas: Atlas, question: Question) -> dict[str, Any]:
    """What an ablation would do, without running anything.

    `n_edits` are of each item of half B, `n_edits_chosen` of each item of half A; `forwards` is the most that they may
    cost in forwards of one item, since what lies below an edit runs once.
    """
    question.check()
    asked = asked_of(atlas, question)
    n = 0 if asked.ranking is None else len({min(each, len(asked.ranking)) for each in question.units})
    n = n * (2 + question.draws) + question.retain
    n_pool = len(asked.ranking) if asked.ranking else len(asked.single)
    n_pairs, n_candidates = min(question.pairs, n_pool), min(question.candidates, n_pool)
    n += len(asked.single) + len({unit for unit, _ in asked.matches}) + n_pairs * (n_pairs + 1) // 2
    n += question.greedy * (2 + question.draws) + 2 * len({each.unit for each in asked.readings})
    n += len(asked.doses) * (len(set(question.quantiles)) + 1)
    chosen = len(asked.single) + sum(max(n_candidates - step, 0) for step in range(question.greedy))
    n_items = int(atlas.manifest["notes"]["items"])
    halves = (n_items // 2, n_items - n_items // 2)
    first, second = (each if question.max_items is None else min(each, question.max_items) for each in halves)
    widths = {layer.address: layer.width for layer in atlas_layers(atlas, asked.layers)}
    return {
        "layers": list(asked.layers),
        "n_units": sum(widths.values()),
        "n_edits": n,
        "n_edits_chosen": chosen,
        "forwards": (n + 1) * second + (chosen + bool(chosen)) * first,
        "n_ranked": None if asked.ranking is None else len(asked.ranking),
    }
