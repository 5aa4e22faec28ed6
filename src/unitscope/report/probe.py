"""A finished probe in words: its score beside what it must be compared with, how many units are enough, and where.

Returns things for a rich console; words of corpora pass through `clean`.
"""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.probes.result import ProbeResult, Row
from unitscope.report.listing import Counts
from unitscope.report.plain import NOTHING, clean, count, counted, listed, number, share
from unitscope.report.terminal import heading

MOST_CLASSES = 40
_TITLES = {
    "linear": "linear probe",
    "gaussian": "Gaussian probe",
    "form": "word identity alone",
    "majority": "most frequent class",
    "control": "control task",
    "selectivity": "selectivity",
    "description": "description length",
    "control description": "description length of the control task",
    "above form": "above word identity",
    "above untrained": "above untrained copy",
}
_VARIANTS = {"untrained": ", untrained copy"}
_PLAIN = ("bits_per_site", "compression")
_MODES = {"mask": "masked", "retrain": "retrained"}


def figure(value: float | None) -> str:
    """A score with three decimals and no leading zero: what probes differ by is small.

    >>> figure(0.9356), figure(-0.02), figure(1.0), figure(None)
    ('.936', '-.020', '1.000', '–')
    """
    return NOTHING if value is None or value != value else f"{value:.3f}".replace("0.", ".", 1 if abs(value) < 1 else 0)


def title(row: Row, *, is_number: bool = False) -> str:
    """What a row of scores is, in words."""
    if row["probe"] == "majority" and is_number:
        return "mean of the training sites"
    return f"{_TITLES.get(row['probe'], clean(row['probe']))}{_VARIANTS.get(row['variant'], '')}"


def summary(result: ProbeResult) -> RenderableType:
    """All of a probe: sentences, then tables."""
    parts: list[RenderableType] = [Text(f"{clean(result.name)}: {_asked(result)}", style="bold")]
    parts += [Text(sentence) for sentence in sentences(result)]
    parts += [heading("Scores"), scores(result)]
    if result.curve:
        parts += [heading(f"{_metric(result)} of fewer units"), curve(result)]
    if result.classes:
        parts += [heading("Classes"), classes(result)]
    if result.layers:
        parts += [heading(_units_heading(result)), layers(result)]
    return Group(*parts)


def _asked(result: ProbeResult) -> str:
    about = result.about
    names = about["classes_asked"]
    what = "a number" if about["is_number"] else counted(len(names), "class", "classes")
    return (
        f"{_TITLES[about['kind']]} of {clean(about['concepts'])} ({what}) from {counted(about['n_units'], 'unit')} of "
        f"{counted(len(about['layer_addresses']), 'layer')}"
    )


def sentences(result: ProbeResult) -> list[str]:
    """What came out, in plain sentences."""
    about = result.about
    found = [
        f"Trained on {count(about['n_train'])} sites in {counted(about['blocks_train'], 'block')}, judged on "
        f"{count(about['n_held'])} others in {counted(about['blocks_held'], 'block')}."
    ]
    own = result.score(about["kind"], "trained")
    if own is not None:
        found.append(f"{_metric(result)} is {_with_interval(own)}{_beside(result)}.")
    found += _differences(result)
    smallest = about.get("smallest")
    if smallest is not None:
        found.append(_enough(smallest, _metric(result)))
    if "units" in about["chosen"]:
        found.append(f"Its units, as they were chosen: {listed(about['chosen']['units'])}.")
    found += _where(result)
    return [*found, *(clean(note) for note in about["notes"])]


def _beside(result: ProbeResult) -> str:
    rows = [
        (result.score(result.about["kind"], "untrained"), "the same probe on the untrained copy"),
        (result.score("form"), "word identity alone"),
        (result.score("majority"), "the mean" if result.about["is_number"] else "the most frequent class"),
    ]
    told = [f"{name} {figure(row['value'])}" for row, name in rows if row is not None]
    return f"; {', '.join(told)}" if told else ""


def _differences(result: ProbeResult) -> list[str]:
    told = []
    for name, words in (("above untrained", "the untrained copy"), ("above form", "word identity")):
        row = result.score(name)
        if row is None:
            continue
        if not _is(row["low"]):
            told.append(f"It is {_signed(row['value'])} from {words} (no interval: too few blocks).")
            continue
        clear = "above" if row["low"] > 0 else "below" if row["high"] < 0 else "not clearly above or below"
        told.append(f"It is {clear} {words}: {_signed(row['value'])} [{_signed(row['low'])}, {_signed(row['high'])}].")
    row = result.score("selectivity")
    if row is not None:
        control = result.score("control")
        taught = "" if control is None else f" (classes drawn at random for each word form: {figure(control['value'])})"
        told.append(f"Selectivity is {figure(row['value'])}{taught}.")
    return told


def _enough(smallest: Row, metric: str) -> str:
    if not smallest["reached"]:
        return "On the selection split no number of its units came within reach of all."
    of = f"{count(smallest['n_units'])} of {counted(smallest['of_units'], 'unit')}"
    return (
        f"On training blocks kept aside {of} ({share(smallest['n_units'], smallest['of_units'])}) come within "
        f"{figure(smallest['delta'])} of all; a probe of so many has {metric.lower()} {_with_interval(smallest)} "
        "on the evaluation sites."
    )


def _where(result: ProbeResult) -> list[str]:
    rows = [row for row in result.layers if row["class"] == "all"] or list(result.layers)
    if not rows or len(rows) < 2:
        return []
    best = sorted(rows, key=lambda row: -row["count"])[:2]
    told = [f"{clean(row['layer'])} ({share(row['share'])})" for row in best if row["count"]]
    found = [f"Most of the units it leans on are in {' and '.join(told)}."] if told else []
    few = sorted((row for row in result.classes if row["n_units"]), key=lambda row: (row["n_units"], row["class"]))
    if len(few) >= 4:
        names = [f"{row['class']} ({row['n_units']})" for row in (*few[:2], *few[-2:])]
        found.append(f"Fewest units carry {listed(names[:2])}; most {listed(names[2:])}.")
    return found


def scores(result: ProbeResult) -> RenderableType:
    """Every score with its interval."""
    rows = [
        [
            title(row, is_number=result.about["is_number"]),
            row["metric"].replace("_", " "),
            number(row["value"]) if row["metric"] in _PLAIN else figure(row["value"]),
            interval(row["low"], row["high"]),
        ]
        for row in result.scores
    ]
    return Counts(["what", "figure", "value", "95 % interval"], rows, texts=("figure",))


def curve(result: ProbeResult) -> RenderableType:
    """A row a number of units: top, random and bottom, in each mode."""
    at = {(row["mode"], row["n_units"], row["selection"]): row for row in result.curve}
    modes = list(dict.fromkeys(row["mode"] for row in result.curve))
    columns = [(mode, selection) for mode in modes for selection in ("top", "random", "bottom")]
    columns = [each for each in columns if any((each[0], n, each[1]) in at for n in {k[1] for k in at})]
    table = []
    for n in sorted({row["n_units"] for row in result.curve}):
        part = next(row["share"] for row in result.curve if row["n_units"] == n)
        cells = [at.get((mode, n, selection)) for mode, selection in columns]
        table.append([f"{count(n)} ({share(part)})", *(NOTHING if c is None else figure(c["accuracy"]) for c in cells)])
    return Counts(["units", *(f"{selection}, {_MODES[mode]}" for mode, selection in columns)], table)


def classes(result: ProbeResult) -> RenderableType:
    """A row a class, the most frequent first."""
    weighed = any(row["n_units"] is not None for row in result.classes)
    rows = sorted(result.classes, key=lambda row: (-row["n_held"], row["class"]))
    table = [
        [
            clean(row["class"]),
            count(row["n_held"]),
            figure(row["recall"]),
            interval(row["low"], row["high"]),
            figure(row["precision"]),
            figure(row["untrained_recall"]),
            figure(row["form_recall"]),
            *([count(row["n_units"]), count(row["n_exclusive"])] if weighed else []),
        ]
        for row in rows[:MOST_CLASSES]
    ]
    heads = ["class", "sites", "recall", "95 % interval", "precision", "untrained", "word identity"]
    return Counts([*heads, *(["units", "its own"] if weighed else [])], table)


def layers(result: ProbeResult) -> RenderableType:
    """A row a layer: the units of all classes, and the classes most of whose units lie there."""
    every = [row for row in result.layers if row["class"] == "all"] or list(result.layers)
    best: dict[str, list[str]] = {}
    for name in dict.fromkeys(row["class"] for row in result.layers):
        own = [row for row in result.layers if row["class"] == name]
        top = max(own, key=lambda row: row["count"])
        if name != "all" and top["count"]:
            best.setdefault(top["layer"], []).append(name)
    weighed = "units" not in result.about["chosen"]
    table = [
        [
            clean(row["layer"]),
            count(row["count"]),
            share(row["share"]),
            *([share(row["mass"]), listed(best.get(row["layer"], [])) or NOTHING] if weighed else []),
        ]
        for row in every
    ]
    heads = ["layer", "units", "share", *(["weight mass", "most units of"] if weighed else [])]
    return Counts(heads, table, texts=("most units of",))


def _units_heading(result: ProbeResult) -> str:
    if "units" in result.about["chosen"]:
        return "Its units by layer"
    mass = share(result.about["parameters"]["mass"])
    return f"Units that hold {mass} of a class' weight mass, by layer"


def _metric(result: ProbeResult) -> str:
    return "R²" if result.about["is_number"] else "Accuracy"


def _with_interval(row: Row | dict[str, float]) -> str:
    return f"{figure(row['value'])} {interval(row['low'], row['high'])}" if _is(row["low"]) else figure(row["value"])


def interval(low: float | None, high: float | None) -> str:
    """An interval in brackets, or a dash where there is none.

    >>> interval(0.91, 0.96), interval(float("nan"), None)
    ('[.910, .960]', '–')
    """
    return f"[{figure(low)}, {figure(high)}]" if _is(low) and _is(high) else NOTHING


def _is(value: float | None) -> bool:
    return value is not None and value == value


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{figure(abs(value))}"
