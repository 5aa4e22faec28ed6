"""Single units, pairs, greedy sets and doses of an ablation, in words and numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.text import Text

from unitscope.causal.verdicts import FALSE_DISCOVERIES, harm
from unitscope.report.effects import between, signed
from unitscope.report.listing import Column, Listing
from unitscope.report.plain import chance, clean, counted, number, share

if TYPE_CHECKING:
    from unitscope.causal.ablating import Ablated
    from unitscope.causal.sweeps_dose import Doses
    from unitscope.causal.sweeps_sets import Pair
    from unitscope.causal.sweeps_single import Tested


def single(found: Ablated, top: int) -> list[RenderableType]:
    """Units one at a time, in the order of half A with effects on half B; then each class' first ones."""
    each = found.single
    assert each is not None
    part, n = each.whole, len(each.units)
    rows = [
        [
            clean(each.units[at]),
            signed(float(part.chosen[at])),
            signed(part.effects[at].effect),
            between(part.effects[at]),
            chance(float(part.q[at])),
        ]
        for at in part.order[:top].tolist()
    ]
    columns = (
        Column("unit", text=True, lead=True),
        Column("half A", "half A"),
        Column("effect", "effect"),
        Column("95 %", ""),
        Column("q", "q"),
    )
    worse = sum(harm(effect, found.rising).effect > 0 for effect in part.effects)
    told: list[RenderableType] = [
        Text("One unit at a time, by what its removal costs on half A; effects on half B", style="bold"),
        Listing(columns, rows),
        Text(
            f"{len(each.causal(FALSE_DISCOVERIES))} of {counted(n, 'unit')} have an effect at a false discovery rate "
            f"of 5 %; without {worse} of them the {found.metric} gets worse, however little."
        ),
        Text(_left(part)),
    ]
    return told + ([Text(""), *_classes(found, top)] if each.classes else [])


def _left(part: Tested) -> str:
    """What is left on half B of the effects by which units were put first, and how well the halves agree."""
    sentences = []
    for each in part.left:
        first = "first unit" if each.n_units == 1 else f"first {each.n_units} units' mean"
        kept = f" ({share(each.share)})" if 0 <= each.share <= 1 else ""
        sentences.append(
            f"Of the {first} effect of {signed(each.chosen)} on half A, {signed(each.effect.effect)} "
            f"{between(each.effect)} is left on half B{kept}."
        )
    agreed = "–" if part.reliability != part.reliability else f"{part.reliability:.2f}"
    return f"{' '.join(sentences)} Rank correlation of the halves over all units: {agreed}."


def _classes(found: Ablated, top: int) -> list[RenderableType]:
    each = found.single
    assert each is not None
    rows = []
    for part in each.classes:
        n = sum(q <= FALSE_DISCOVERIES for q in part.q)
        agreed = "–" if part.reliability != part.reliability else f"{part.reliability:.2f}"
        for place, at in enumerate(part.order[: max(1, min(3, top))].tolist()):
            lead = [clean(part.target), str(n), agreed] if place == 0 else ["", "", ""]
            effect = part.effects[at]
            rows.append(
                [*lead, clean(each.units[at]), signed(float(part.chosen[at])), signed(effect.effect), between(effect),
                 chance(float(part.q[at]))]
            )  # fmt: skip
    columns = (
        Column("class", text=True, lead=True),
        Column("with an effect", "units with an effect"),
        Column("A to B", "rank correlation"),
        Column("unit", text=True, lead=True),
        Column("half A", "half A"),
        Column("effect", "effect"),
        Column("95 %", ""),
        Column("q", "q"),
    )
    title = f"By class: the {found.metric} on each class' own; q over all units and classes"
    return [Text(title, style="bold"), Listing(columns, rows)]


def pairs(found: Ablated, top: int) -> list[RenderableType]:
    """Pairs furthest from the sum of their single effects."""
    each = found.pairs
    assert each is not None
    order = sorted(each.pairs, key=lambda pair: -abs(pair.beyond.effect))
    rows = [
        [
            clean(pair.units[0]),
            clean(pair.units[1]),
            signed(pair.effect.effect),
            signed(pair.expected),
            signed(pair.beyond.effect),
            between(pair.beyond),
            chance(pair.q),
            kind_of_pair(pair, found.rising),
        ]
        for pair in order[:top]
    ]
    columns = (
        Column("unit", text=True, lead=True),
        Column("unit", text=True, lead=True),
        Column("together", "together"),
        Column("sum", "sum of both alone"),
        Column("beyond", "beyond"),
        Column("95 %", ""),
        Column("q", "q"),
        Column("", text=True),
    )
    n = sum(pair.q <= FALSE_DISCOVERIES for pair in each.pairs)
    return [
        Text(f"Pairs among the first {len(each.units)} units", style="bold"),
        Listing(columns, rows),
        Text(
            f"{n} of {counted(len(each.pairs), 'pair')} do something together that is not the sum of both alone, at a "
            "false discovery rate of 5 %. synergy: less is lost than the sum, so both are needed for one thing (or "
            "little is left to lose); redundancy: more, so either stands in for the other."
        ),
    ]


def kind_of_pair(pair: Pair, rising: bool) -> str:
    """`synergy`, `redundancy`, `additive` where q is above 5 %, or a dash without an interval."""
    if pair.q != pair.q:
        return "–"
    if pair.q > FALSE_DISCOVERIES:
        return "additive"
    return "redundancy" if harm(pair.beyond, rising).effect > 0 else "synergy"


def greedy(found: Ablated) -> list[RenderableType]:
    """Sets of rising size beside random ones and the ranking's first."""
    each = found.greedy
    assert each is not None
    rows = [
        [
            str(size),
            clean(step.unit),
            signed(step.chosen),
            signed(step.effect.effect),
            between(step.effect),
            signed(step.random),
            between(step.beyond),
            signed(step.top),
            between(step.beyond_top),
        ]
        for size, step in enumerate(each.steps, 1)
    ]
    columns = (
        Column("units", "units", lead=True),
        Column("added", text=True, lead=True),
        Column("half A", "half A"),
        Column("effect", "effect"),
        Column("95 %", ""),
        Column("random", "random"),
        Column("beyond random", "beyond random"),
        Column("top", "top"),
        Column("beyond top", "beyond top"),
    )
    return [
        Text(
            f"A set chosen greedily on half A, from the first {each.n_candidates} of {counted(each.n_ranked, 'unit')}",
            style="bold",
        ),
        Listing(columns, rows),
    ]


def doses(found: Ablated, each: Doses) -> list[RenderableType]:
    """A unit's settings and the task's value at each."""
    rows = [
        [
            "zero" if dose.quantile != dose.quantile else f"{dose.quantile:g}",
            number(dose.setting),
            number(dose.value),
            signed(dose.effect.effect),
            between(dose.effect),
        ]
        for dose in each.doses
    ]
    columns = (
        Column("quantile", lead=True),
        Column("set to", "set to"),
        Column(found.metric, found.metric),
        Column("effect", "effect"),
        Column("95 %", ""),
    )
    where = f" at sites with {clean(each.concept)}" if each.concept else ""
    if each.monotone != each.monotone:
        told = "The value does not change, or too few settings differ: no trend."
    else:
        told = (
            f"Rank correlation of setting and {found.metric}: {each.monotone:+.2f} (p {chance(each.p)} over orders of "
            f"the settings); slope {signed(each.slope.effect)} {between(each.slope)} a unit of activation."
        )
    return [Text(f"{clean(each.unit)} set{where}", style="bold"), Listing(columns, rows), Text(told)]
