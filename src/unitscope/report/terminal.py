"""An atlas on a terminal: the overview and what is asked about layers, concepts and units.

Every function returns something for a rich console. All words of models and corpora pass through `clean`, and nothing
is read as markup; every number stands under or behind what it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from unitscope.atlas import Atlas, Row
from unitscope.report import findings
from unitscope.report.listing import Column, Counts, Listing
from unitscope.report.plain import NOTHING, chance, clean, count, counted, direction, effect, interval, listed, share
from unitscope.report.wording import TEXTS, Wording, of_cells, of_grid, parts, wording


def heading(text: str) -> Text:
    """A heading with a blank line before it."""
    return Text(f"\n{clean(text)}", style="bold underline")


def legend(text: str = TEXTS.legend) -> Text:
    """Words that explain the numbers above."""
    return Text(f"\n{text}", style="dim")


def findings_list(rows: Sequence[Row], *, kind: bool = False, words: Wording = TEXTS) -> Listing:
    """Matches with effect, interval, controlled effects, prevalence, n, q, and words the unit is strongest at."""
    bar = any(row["untrained_p99"] is not None for row in rows)
    columns = [
        Column("unit", lead=True, text=True),
        Column("concept", lead=True, text=True),
        *([Column("kind", "", text=True)] if kind else []),
        Column("AUROC", "AUROC", text=True),
        Column(words.in_form, words.within_form),
        Column(words.in_place, words.within_place),
        *([Column("untrained p99", "untrained p99")] if bar else []),
        Column("prev.", "prevalence"),
        Column("n", "n"),
        Column("q", "q"),
        Column("strongest at", text=True, free=True),
    ]
    table = []
    for row in rows:
        table.append(
            [
                f"{clean(row['layer'])}:{row['unit']}" + (f" {clean(row['name'])}" if row.get("name") else ""),
                f"{direction(row['sign'])} {clean(row['concept'])}",
                *([row["kind"]] if kind else []),
                auroc(row, "no interval"),
                effect(row["within_form"]),
                effect(row["within_form_position"]),
                *([effect(row["untrained_p99"])] if bar else []),
                share(row["prevalence"]),
                count(row["n"]),
                chance(row["q"]),
                _examples(row),
            ]
        )
    return Listing(columns, table)


def _examples(row: Row) -> str:
    """Words at the end of its scale where the unit detects the concept."""
    if not row["words"]:
        return NOTHING
    return f"{'highest' if row['sign'] > 0 else 'lowest'} at: {listed(row['words'])}"


def auroc(row: Row, without: str) -> str:
    """A match's AUROC with its interval, or the words `without` where it has none (fewer than 10 effective groups)."""
    return f"{effect(row['score'])} {f'({without})' if row['low'] is None else interval(row['low'], row['high'])}"


def overview(atlas: Atlas, *, kind: str | None = None, top: int = 10) -> RenderableType:
    """What was run, what came out by layer, baselines beside it, and the best-supported matches."""
    parts: list[RenderableType] = [identity(atlas), heading("Units by layer"), layer_counts(atlas)]
    parts += [heading("Median shares of the units' variance"), median_shares(atlas)]
    if len(findings.variants(atlas)) > 1:
        parts += [
            heading("Units whose first concept is contextual, and units with any contextual match"),
            baseline_shares(atlas),
        ]
    found = findings.overview(atlas, kind=kind, top=top)["findings"]
    parts += _findings_part(atlas, found, kind)
    return Group(*parts)


def _findings_part(atlas: Atlas, found: Sequence[Row], kind: str | None) -> list[RenderableType]:
    if not found:
        return [heading("Matches"), Text(f"None is {kind}." if kind else "None is reported.")]
    if kind is None and all(row["kind"] != "contextual" for row in found):
        note = f"No unit is contextual here: {wording(atlas).explained} explains all matches."
        return [
            heading("Best-supported matches"),
            Text(note),
            findings_list(found, kind=True, words=wording(atlas)),
            legend(wording(atlas).legend),
        ]
    which = kind or "contextual"
    return [
        heading(f"Best-supported {which} matches"),
        findings_list(found, words=wording(atlas)),
        legend(wording(atlas).legend),
    ]


def identity(atlas: Atlas) -> Text:
    """Model, corpus, halves, and all that a reader should be told before the numbers."""
    study, notes = atlas.manifest["study"], atlas.manifest["notes"]
    n_units = sum(layer["width"] for layer in study["layers"])
    n_measures = len(atlas.manifest["measures"])
    text = Text()
    text.append(f"{clean(study['model'])} over {clean(study['corpus'])}\n", style="bold")
    text.append(
        f"{counted(len(atlas.layers), 'layer')}, {counted(n_units, 'unit')}, {counted(n_measures, 'measure')}, "
    )
    text.append(f"seed {study['seed']}\n")
    for name, grid in atlas.manifest["grids"].items():
        blocks = (
            f"blocks are {count(grid['blocks'])} runs of items inside groups, as there are too few groups or too large"
            if grid["blocks_are_runs_inside_groups"]
            else f"blocks are the {count(grid['blocks'])} groups"
        )
        words = of_grid(name)
        groups = counted(grid["groups"], words.group, words.groups)
        text.append(
            f"Grid {clean(name)}: {count(grid['sites'])} {words.sites} in {groups}; concepts are chosen on "
            f"{count(grid['sites_a'])} {words.sites} and tested on the other {count(grid['sites_b'])}; {blocks}. "
            f"{counted(grid['concepts'], 'concept')}, {count(grid['concepts_eligible'])} of them frequent enough to be "
            "tested.\n"
        )
        if thinned := of_cells(name):
            text.append(f"It is every {thinned[1]} row and column of {thinned[0]} cells; --sites all takes all.\n")
        if grid["blocks_are_runs_inside_groups"]:
            text.append(permitted(grid["groups"], words))
    text.append(_as_read(atlas))
    text.append(_left_out(atlas))
    text.append(_resampling(atlas, study["resample"], notes["resampling"]))
    smallest = atlas.summary["trained"]["all"]["smallest_q"]
    text.append(f"Smallest attainable q: {smallest:.2g}.")
    return text


def permitted(n_groups: int, words: Wording) -> str:
    """What may be concluded where halves are cut inside groups."""
    return (
        f"Both halves hold {words.items} of the same {counted(n_groups, words.group, words.groups)}: what is found "
        f"holds for other {words.items} of these {words.groups}, and says nothing of other {words.groups}.\n"
    )


def _as_read(atlas: Atlas) -> str:
    """Which columns of a table were read as what, and what was no item."""
    notes = atlas.manifest["notes"].get("corpus", {})
    skipped = [f"{count(n)} {clean(what)}" for what, n in notes.get("skipped", {}).items()]
    told = [f"{clean(note)}.\n" for note in notes.get("read", ())]
    return "".join([*told, f"Passed over: {', '.join(skipped)}.\n" if skipped else ""])


def _left_out(atlas: Atlas) -> str:
    counts = atlas.manifest["notes"]["counts"]
    said = [
        f"{count(counts[key])} {what}"
        for key, what in (
            ("dropped_words", "words have no position in the model"),
            ("truncated_words", "words were cut off"),
            ("truncated_items", "items were cut"),
            ("windowed_items", "items were read in windows"),
            ("skipped_items", "items of the corpus could not be read and were left out"),
        )
        if counts.get(key)
    ]
    return f"{'; '.join(said)}.\n" if said else wording(atlas).all_there


def _resampling(atlas: Atlas, used: str, check: Row) -> str:
    if wording(atlas) is not TEXTS:
        return ""
    if not check["of"]:
        return f"A word's value is that of its {used} position.\n" if used in ("first", "last") else ""
    other = check["between"][1]
    how = (
        f"A word's value is its {used} over its subwords"
        if used in ("mean", "max")
        else f"A word's value is its {used} subword's"
    )
    return (
        f"{how}; with the {other}, {count(check['changed'])} of {count(check['of'])} sampled units "
        f"({share(check['changed'], check['of'])}) would be tested on another concept.\n"
    )


def layer_counts(atlas: Atlas) -> Counts:
    """Units by layer: how many, unusable, tested, reported, and of which kind, with shares of all its units."""
    names = ("units", "dead", "constant", "nan", "tested", "reported")
    rows = []
    for row in findings.layer_rows(atlas):
        kinds = [with_share(row[kind], row["units"]) for kind in findings.kinds(atlas)]
        rows.append([clean(row["layer"]), *(count(row[name]) for name in names), *kinds])
    return Counts(["layer", *names, *findings.kinds(atlas)], rows)


def with_share(part: int, whole: int) -> str:
    """A count with its share."""
    return f"{count(part)} ({share(part, whole)})" if part else "0"


def median_shares(atlas: Atlas) -> Counts:
    """Median shares of variance by layer."""
    names = findings.parts(atlas)
    rows = []
    for row in findings.layer_rows(atlas):
        shares = row["median_shares"] or {}
        rows.append([clean(row["layer"]), *(share(shares.get(name)) for name in names)])
    return Counts(["layer", *(parts(atlas)[name] for name in names)], rows)


def baseline_shares(atlas: Atlas) -> Counts:
    """Share of units whose first concept is contextual, and of those with any contextual match, in each variant."""
    variants = findings.variants(atlas)
    rows = []
    for layer in atlas.layers:
        found = [atlas.summary[variant][layer] for variant in variants]
        shares = [share(each[name], each["units"]) for name in ("contextual", "with_context") for each in found]
        rows.append([clean(layer), *shares])
    return Counts(["layer", *(f"{which} {variant}" for which in ("first", "any") for variant in variants)], rows)


def baselines(atlas: Atlas) -> RenderableType:
    """Counts of each layer in each variant."""
    rows = []
    for row in findings.baselines(atlas):
        shares = row["median_shares"] or {}
        rows.append(
            [
                f"{clean(row['layer'])} {row['variant']}",
                count(row["units"]),
                count(row["tested"]),
                count(row["reported"]),
                *(with_share(row[kind], row["units"]) for kind in findings.kinds(atlas)),
                with_share(row["with_context"], row["units"]),
                effect(row["within_form_position_p99"]),
                share(shares.get("form")),
            ]
        )
    headings = [
        "layer and variant",
        "units",
        "tested",
        "reported",
        *findings.kinds(atlas),
        "with context",
        "effect p99",
        parts(atlas)["form"],
    ]
    note = (
        "rotation: the same activations in a random basis; untrained: the same architecture with fresh weights. "
        "effect p99: 99th percentile over units of the effect "
        + wording(atlas).within_place
        + "; last column: median share of "
        "variance that "
        + wording(atlas).form
        + " explains. A privileged basis shows as more contextual units than in the rotation. "
        "with context: units with any contextual match, first or not."
    )
    return Group(Counts(headings, rows), legend(note))


def passport(atlas: Atlas) -> RenderableType:
    """Shares of variance by layer and variant, median with tenth and ninetieth percentile."""
    names = findings.parts(atlas)
    rows = []
    for row in findings.passports(atlas):
        cells = [
            NOTHING
            if row[name] is None
            else f"{share(row[name][1])} ({_percent(row[name][0])}-{_percent(row[name][2])})"
            for name in names
        ]
        rows.append([f"{clean(row['layer'])} {row['variant']}", *cells])
    note = (
        "Median over the layer's units of the share of a unit's variance, in brackets its tenth and ninetieth "
        "percentile. In this order: " + wording(atlas).shares
    )
    return Group(Counts(["layer and variant", *(parts(atlas)[name] for name in names)], rows), legend(note))


def _percent(value: float) -> str:
    return f"{100 * value:.0f}"


def layer(atlas: Atlas, address: str, *, kind: str | None = None, top: int = 10) -> RenderableType:
    """One layer: its counts, its most frequent concepts, its best-supported matches."""
    view = findings.layer_view(atlas, address, kind=kind, top=top)
    head = Text(f"{clean(address)}", style="bold")
    head.append(f" {clean(view['role'])}, {count(view['width'])} units, grid {clean(view['grid'])}", style="not bold")
    counts = [
        [variant, *(count(row[name]) for name in ("dead", "constant", "nan", "tested", "reported"))]
        + [with_share(row[name], row["units"]) for name in findings.kinds(atlas)]
        for variant, row in view["counts"].items()
    ]
    names = ["variant", "dead", "constant", "nan", "tested", "reported", *findings.kinds(atlas)]
    parts: list[RenderableType] = [head, Text(""), Counts(names, counts)]
    if view["concepts"]:
        parts += [
            heading("Concepts that most units are matched with first"),
            _concept_counts(view["concepts"], "concept", findings.kinds(atlas)),
        ]
    found = view["findings"]
    which = f" {kind}" if kind else ""
    parts += [heading(f"Best-supported{which} matches")]
    parts += (
        [findings_list(found, kind=kind is None, words=of_grid(view["grid"])), legend(of_grid(view["grid"]).legend)]
        if found
        else [Text("None.")]
    )
    return Group(*parts)


def _concept_counts(rows: Sequence[Row], first: str, kinds: Sequence[str]) -> Counts:
    cells = [
        [
            clean(row[first]),
            count(row["units"]),
            *(count(row[kind]) for kind in kinds),
            *([count(row["falling"])] if "falling" in row else []),
            effect(row["greatest"]),
        ]
        for row in rows
    ]
    falling = ["falling"] if rows and "falling" in rows[0] else []
    return Counts([first, "units", *kinds, *falling, "greatest AUROC"], cells)


def concept(atlas: Atlas, name: str, *, kind: str | None = None, top: int = 10) -> RenderableType:
    """One concept: how frequent, which layers carry it, and the units that carry it, best first."""
    view = findings.concept_view(atlas, name, kind=kind, top=top)
    head = Text(clean(name), style="bold")
    words = of_grid(view["grid"])
    head.append(
        f" holds at {count(view['n'])} of {count(view['n_known'])} {words.sites} ({share(view['prevalence'])}); "
        f"half A: {count(view['n_a'])} in {count(view['blocks_a'])} blocks, half B: {count(view['n_b'])} in "
        f"{count(view['blocks_b'])} blocks.",
        style="not bold",
    )
    if not view["eligible"]:
        head.append(
            "\nToo rare (or too frequent) to be tested: 20 "
            + words.sites
            + " with it and 20 without, in at least 5 blocks "
            "of each half, are needed.",
            style="not bold",
        )
        return head
    if not view["profile"]:
        head.append("\nNo unit is matched with it.", style="not bold")
        return head
    found = view["findings"]
    which = f" {kind}" if kind else ""
    shown = (
        [findings_list(found, kind=kind is None, words=words), legend(words.legend)]
        if found
        else [Text(f"None is {kind}.")]
    )
    return Group(
        head,
        heading("Units matched with it, by layer"),
        _concept_counts(view["profile"], "layer", findings.kinds(atlas)),
        heading(f"Best-supported{which} units"),
        *shown,
    )
