"""Steering in words and numbers: what was chosen, what it did on held-out items beside random units, and examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.report.effects import between, signed
from unitscope.report.listing import Column, Listing
from unitscope.report.plain import clean, counted, finite, number

if TYPE_CHECKING:
    from unitscope.causal.steering import Steered
    from unitscope.causal.steering_sweep import Tested

_NAMES = {
    "none": "no edit",
    "steered": "steered",
    "random mean": "random units",
    "random best mean": "random, own best strength",
    "beyond": "steered - random",
    "beyond best": "steered - random at their best",
}
_WAYS = {
    "add": "shifted by {} of their standard deviations",
    "gap": "shifted by {} times the gap of their means",
    "set": "set to their mean and {} standard deviations",
    "scale": "multiplied by {}",
    "mean": "moved {} of the way to their mean",
    "project": "rid of the directions of the property",
}


def shown(found: Steered) -> RenderableType:
    """The whole report."""
    asked, made = found.question, found.sweep
    verb = "take away" if asked.remove else "steer to"
    parts: list[RenderableType] = [
        Text(f"{verb} {clean(asked.goal)} by the ranking '{clean(asked.ranking)}' for {clean(found.target)}", "bold"),
        Text(_chosen(found)),
        Text(f"Success: {clean(found.metric)}{_floor(found)}. Collateral damage: {found.harm}."),
    ]
    if not made.within:
        parts.append(
            Text(f"No strength kept the collateral damage within {number(asked.limit)}: the mildest was taken.")
        )
    if _at_edge(found):
        parts.append(Text("The strongest edit that was tried was chosen: more might do more (--strengths, --units)."))
    if found.left_out:
        parts.append(Text(f"Left out: {counted(found.left_out, 'held-out item')} with nothing to judge, or to steer."))
    if found.note:
        parts.append(Text(clean(found.note)))
    parts += [Text(""), _sets(found), Text(sentence(found)), *_facts(found), *_examples(found)]
    told = "no edit (of 'steered - random': between the two)"
    parts.append(
        Text(f"\nChanges are against {told}, with 95 % block jackknife intervals over documents, paired by item.")
    )
    return Group(*parts)


def _chosen(found: Steered) -> str:
    made, asked = found.sweep, found.question
    steered = made.of("steered")
    assert steered is not None
    way = _WAYS[asked.rule].format(number(steered.strength))
    return (
        f"Chosen on {counted(made.n_dev, 'development item')}: the first {counted(steered.n_units, 'unit')} of "
        f"{found.n_ranked:,}, {way}. Judged on {counted(made.n_items, 'held-out item')}."
    )


def _at_edge(found: Steered) -> bool:
    """Whether a stronger or larger edit than any that was tried might have been chosen."""
    steered, asked = found.sweep.of("steered"), found.question
    if steered is None or asked.rule in ("mean", "project"):
        return False
    most = steered.n_units == min(max(asked.units), found.n_ranked) < found.n_ranked
    return most or (asked.rule != "scale" and abs(steered.strength) == max(map(abs, asked.doses)))


def _floor(found: Steered) -> str:
    return f" (chance {number(found.sweep.floor)})" if found.sweep.floor else ""


def _sets(found: Steered) -> Listing:
    rows = []
    for kind, name in _NAMES.items():
        each = found.sweep.of(kind)
        if each is None or (kind.endswith("best mean") and _same_strength(found)):
            continue
        if kind == "beyond best" and _same_strength(found):
            continue
        rows.append(_row(name, each, found))
    columns = (
        Column("", text=True, lead=True),
        Column("strength", "strength"),
        Column("success", "success"),
        Column("change", "change"),
        Column("95 %", ""),
        Column("collateral", "collateral"),
        Column("95 %", ""),
    )
    return Listing(columns, rows)


def _same_strength(found: Steered) -> bool:
    steered, other = found.sweep.of("steered"), found.sweep.of("random best mean")
    return steered is None or other is None or steered.strength == other.strength


def _row(name: str, each: Tested, found: Steered) -> list[str]:
    plain, difference = each.selection == "none", each.selection.startswith("beyond")
    return [
        name,
        "" if plain or difference else number(each.strength),
        "" if difference else number(each.success),
        "" if plain else signed(each.gain.effect),
        "" if plain else between(each.gain),
        "" if plain else signed(each.harm.effect),
        "" if plain else between(each.harm),
    ]


def sentence(found: Steered) -> str:
    """What the table says, in words; judged by the harder of the two comparisons with random sets."""
    beyond = [each for kind in ("beyond", "beyond best") if (each := found.sweep.of(kind)) is not None]
    if not beyond:
        return "No random sets to compare with."
    if any(each.gain.low != each.gain.low for each in beyond):
        return "Too few documents to tell the steered units from random ones."
    better = [each.gain.low > 0 if found.rising else each.gain.high < 0 for each in beyond]
    worse = [each.gain.high < 0 if found.rising else each.gain.low > 0 for each in beyond]
    if all(better):
        harm = beyond[0].harm
        more = f", and do more damage by {signed(harm.effect)}" if harm.low > 0 else ""
        return f"The ranked units steer better than as many random ones{more}."
    if better[0]:
        return "The ranked units steer better at this strength, but random ones do as well at a strength of their own."
    return "The ranked units steer " + ("worse than" if worse[0] else "no better than") + " as many random ones."


def _facts(found: Steered) -> list[RenderableType]:
    """Further figures of what came out, without the edit, steered, and of random sets."""
    kinds = [kind for kind in ("none", "steered", "random mean") if found.sweep.of(kind) is not None]
    sets = [each for kind in kinds if (each := found.sweep.of(kind)) is not None]
    names = list(sets[0].facts)
    if not names:
        return []
    rows = [[name, *(number(each.facts[name]) for each in sets)] for name in names]
    columns = (Column("", text=True, lead=True), *(Column(_NAMES[kind], _NAMES[kind]) for kind in kinds))
    return [Text(""), Listing(columns, rows)]


def _examples(found: Steered) -> list[RenderableType]:
    samples = found.sweep.examples
    if not samples:
        return []
    heading = f"\nThe first {counted(len(samples), 'held-out item')}"
    parts: list[RenderableType] = [Text(heading, "bold"), Text(f"Shown: {clean(found.sweep.says)}.")]
    for each in samples:
        parts.append(Text(clean(each.original)))
        parts.append(Text(f"    before: {clean(each.before)}\n    after:  {clean(each.after)}"))
    return parts


def to_json(found: Steered) -> dict[str, Any]:
    """The same as plain values."""
    from unitscope.causal.steering import about, example_rows, set_rows, strength_rows

    data = about(found) | {
        "tried": strength_rows(found),
        "sets": set_rows(found),
        "examples": example_rows(found),
        "sentence": sentence(found),
    }
    return finite(data)  # type: ignore[no-any-return]
