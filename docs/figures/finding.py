"""Write the tables of docs/finding-units.md from an atlas, and the picture of recovery curves from a benchmark.

The atlas is made by the commands on the page; the benchmark's figures are the last line of `benchmarks/finding.py`,
kept in a file. Each table stands between `<!-- begin table: NAME -->` and `<!-- end table -->`; everything else on the
page stays as it is.

Usage: docs/figures/finding.py [ATLAS] [--recovery FILE] [--page PAGE] [--image SVG]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from unitscope.annex import annexes, read_annex
from unitscope.atlas import Atlas
from unitscope.comparison import STATUSES
from unitscope.probes import result as probes
from unitscope.rankings import kept
from unitscope.rankings.agreement import agreement
from unitscope.rankings.base import ALL
from unitscope.report.plain import clean, count, effect, interval, share
from unitscope.report.probe import figure, title

DOCS = Path(__file__).resolve().parent.parent
PAGE, IMAGE = DOCS / "finding-units.md", DOCS / "images" / "finding.svg"
TABLE = re.compile(r"(<!-- begin table: (?P<name>[\w-]+) -->\n).*?(<!-- end table -->)", re.S)
LINEAR, GAUSSIAN, MOVED = "upos", "upos-gaussian", "untrained"
OTHERS = ("maxcorr-untrained", "linreg-untrained")
K = 50
INK, SOFT, LINE = "#222222", "#666666", "#dddddd"


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table whose first `texts` columns are text, all others numbers set to the right."""
    lines = [heads, ["---"] * texts + ["---:"] * (len(heads) - texts), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def run(atlas: Atlas) -> str:
    """What was run."""
    study, about = atlas.manifest["study"], probes.load(atlas, LINEAR).about
    rows = [
        ["corpus", clean(study["corpus"])],
        ["units", f"{count(about['n_units'])} of {len(study['layers'])} layers"],
        ["words trained on", f"{count(about['n_train'])} in {count(about['blocks_train'])} blocks"],
        ["words judged on", f"{count(about['n_held'])} in {count(about['blocks_held'])} others"],
        ["classes", ", ".join(clean(name).partition(":")[2] for name in about["classes_asked"])],
        ["penalty chosen", f"l1 {about['chosen']['l1']:g}, l2 {about['chosen']['l2']:g}"],
        ["versions", ", ".join(f"{name} {study['versions'][name]}" for name in ("unitscope", "torch"))],
    ]
    return markdown(["", ""], rows)


def scores(atlas: Atlas) -> str:
    """Accuracy of the probe and of what it stands beside."""
    rows = [
        [title(row), figure(row["value"]), f"[{figure(row['low'])}, {figure(row['high'])}]"]
        for row in probes.load(atlas, LINEAR).scores
        if row["metric"] == "accuracy"
    ]
    return markdown(["", "accuracy", "95 % interval"], rows)


def curve(atlas: Atlas) -> str:
    """Accuracy of probes of fewer units, and the smallest number that is enough."""
    found = probes.load(atlas, LINEAR)
    at = {(row["mode"], row["selection"], row["n_units"]): row for row in found.curve}
    columns = [(mode, selection) for mode in ("retrain", "mask") for selection in ("top", "random", "bottom")]
    rows = []
    for n in sorted({row["n_units"] for row in found.curve}):
        cells = [at.get((*column, n)) for column in columns]
        rows.append([f"{count(n)} ({share(n, found.about['n_units'])})"])
        rows[-1] += [figure(None if cell is None else cell["accuracy"]) for cell in cells]
        top = cells[0]
        rows[-1].insert(2, "" if top is None else f"[{figure(top['low'])}, {figure(top['high'])}]")
    words = {"retrain": "retrained", "mask": "masked"}
    heads = [f"{selection}, {words[mode]}" for mode, selection in columns]
    least = found.about["smallest"]
    text = markdown(["units", heads[0], "95 % interval", *heads[1:]], rows)
    if not least["reached"]:
        return f"{text}\nNo number of its units came within {figure(least['delta'])} of all.\n"
    return (
        f"{text}\nFewest within {figure(least['delta'])} of all, by training blocks kept aside: "
        f"{count(least['n_units'])} units ({share(least['n_units'], least['of_units'])}); on the words judged on "
        f"they reach {figure(least['value'])} [{figure(least['low'])}, {figure(least['high'])}].\n"
    )


def gaussian(atlas: Atlas) -> str:
    """Accuracy of the first units that the Gaussian probe chose, one by one."""
    found = probes.load(atlas, GAUSSIAN)
    units = found.about["chosen"]["units"]
    rows = []
    for row in sorted(found.curve, key=lambda row: row["n_units"]):
        if row["selection"] != "top" or row["mode"] != found.curve[0]["mode"] or row["n_units"] > len(units):
            continue
        added = f"`{units[row['n_units'] - 1]}`"
        rows.append([added, count(row["n_units"]), figure(row["accuracy"])])
        rows[-1].append(f"[{figure(row['low'])}, {figure(row['high'])}]")
    return markdown(["the last of them", "units", "accuracy", "95 % interval"], rows)


def classes(atlas: Atlas) -> str:
    """Where each class lies: the units that hold a quarter of its weights, their first layer, its best single unit."""
    found = probes.load(atlas, LINEAR)
    n_layers = len(found.about["layer_addresses"])
    rows = []
    for row in sorted(found.classes, key=lambda row: (row["n_units"], row["class"])):
        layers = sorted(
            (each for each in found.layers if each["class"] == row["class"]), key=lambda each: -each["count"]
        )
        best = atlas.sql(
            "select layer, unit, score, low, high, kind from matches where measure = 'auroc' and concept = ? "
            "order by score desc, layer, unit limit 1",
            [row["class"]],
        )
        own = [f"`{clean(row['class'])}`", count(row["n_held"]), figure(row["recall"]), figure(row["untrained_recall"])]
        own += [figure(row["form_recall"]), count(row["n_units"]), count(row["n_exclusive"])]
        own += [f"`{layers[0]['layer']}` {share(layers[0]['share'])}"]
        if best:
            one = best[0]
            own += [f"`{one['layer']}:{one['unit']}`", f"{effect(one['score'])} {interval(one['low'], one['high'])}"]
            own += [one["kind"]]
        else:
            own += ["–"] * 3
        rows.append(own)
    heads = ["class", "words", "recall", "untrained", "word identity", "units", "its own"]
    heads += [f"most in (chance {share(1, n_layers)})", "best single unit", "its AUROC", "kind"]
    return markdown(heads, rows)


def orders_of(atlas: Atlas, target: str) -> dict[str, Any]:
    """Kept rankings for a target, but for the Gaussian probe's, which has few units."""
    found = {}
    for name in kept.names(atlas):
        for each in kept.load(atlas, name):
            if each.target == target and name != GAUSSIAN:
                found[name] = each
    return found


def agree(atlas: Atlas) -> str:
    """How far each order agrees with the others, for all classes and for single ones, beside chance."""
    found = agreement(orders_of(atlas, ALL), k=K)
    of_class: dict[str, list[float]] = {}
    for target in probes.load(atlas, LINEAR).about["classes_asked"]:
        orders = orders_of(atlas, target)
        if len(orders) > 1:
            for name, value in zip(orders, agreement(orders, k=K).average.tolist()):
                of_class.setdefault(name, []).append(value)
    rows = []
    for i in np.argsort(-found.average, kind="stable").tolist():
        name = found.names[i]
        own = of_class.get(name)
        cells = [effect(float(found.average[i])), effect(float(found.vote[i]))]
        cells.append(effect(float(np.mean(own)) if own else None))
        rows.append([f"`{name}`", *cells])
    chance = [effect(float(found.average_chance.mean())), effect(float(found.vote_chance.mean()))]
    rows.append(["by chance", *chance, chance[0]])
    return markdown(["order", "average overlap", "vote", "for single classes"], rows)


def matrix(atlas: Atlas) -> str:
    """Overlap of the first units of every two orders."""
    found = agreement(orders_of(atlas, ALL), k=K)
    order = np.argsort(-found.average, kind="stable").tolist()
    rows = []
    for i in order:
        cells = ["" if i == j else effect(float(found.overlap[i, j])) for j in order]
        rows.append([f"`{found.names[i]}`", *cells])
    return markdown(["", *(f"`{found.names[j]}`" for j in order)], rows)


def others(atlas: Atlas) -> str:
    """What the untrained copy has of each layer's units: greatest correlation and out-of-sample R², beside chance."""
    tables = [list(read_annex(atlas, kept.KIND, name).rows("others")) for name in OTHERS]
    chances = [next(iter(kept.load(atlas, name)[0].origin.parameters["others"].values()))["chance"] for name in OTHERS]
    rows = []
    ranked = {row["layer"] for table in tables for row in table}
    for layer in filter(ranked.__contains__, atlas.layers):
        cells = [f"`{layer}`"]
        for table, of, chance in zip(tables, ("held_out", "r2"), chances):
            values = np.array([row[of] for row in table if row["layer"] == layer and row[of] is not None])
            values = np.abs(values) if of == "held_out" else values
            cells += [effect(float(np.median(values))), share(float((values > chance).mean()))]
        rows.append(cells)
    heads = ["layer", "greatest correlation, held out", f"above chance ({effect(chances[0])})"]
    return markdown([*heads, "R² from all units", f"above chance ({effect(chances[1])})"], rows)


def moved(atlas: Atlas) -> str:
    """What became of units' first concepts, the trained network beside its untrained copy."""
    annex = read_annex(atlas, "comparisons", MOVED)
    counts, chance = annex.about["counts"], annex.about["chance"]
    n = counts["units"]
    rows = [[name, count(counts[name]), share(counts[name], n)] for name in STATUSES if counts[name]]
    rows.append(["kept, units paired at random", "", share(chance["random"])])
    return markdown(["first concept", "units", "share"], rows)


def recovery(figures: Mapping[str, Any]) -> str:
    """Recall and decoys by method and separation, best first."""
    separations = [point["separation"] for point in next(iter(figures["curves"].values()))]
    rows = []
    for method, points in figures["curves"].items():
        cells = [f"{effect(point['recall'])} {interval(point['low'], point['high'])}" for point in points]
        rows.append([f"`{method}`" if " " not in method else method, effect(figures["area"][method]), *cells])
        rows[-1].append(effect(points[-2]["decoys"]))
    chance = figures["chance"]
    by_chance = effect(chance["recall"])
    rows.append(["by chance", by_chance, *[by_chance] * len(separations), effect(chance["decoys"])])
    heads = ["method", "area", *(f"recall at {separation:g} SD" for separation in separations)]
    return markdown([*heads, f"decoys at {separations[-2]:g} SD"], rows)


TABLES: Mapping[str, Callable[[Atlas], str]] = {
    "run": run,
    "scores": scores,
    "curve": curve,
    "gaussian": gaussian,
    "classes": classes,
    "agree": agree,
    "matrix": matrix,
    "others": others,
    "moved": moved,
}


def filled(page: str, made: Mapping[str, str]) -> str:
    """The page with the tables that were made; others stay. Raises KeyError where the page lacks one."""
    missing = set(made) - {match["name"] for match in TABLE.finditer(page)}
    if missing:
        raise KeyError(sorted(missing)[0])

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        return f"{match[1]}\n{made[name]}\n{match[3]}" if name in made else match[0]

    return TABLE.sub(put, page)


def drawn(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Small multiples, a method each, best first: recall (filled, with interval) and decoys (hollow, dashed)."""
    import altair as alt

    values: list[dict[str, Any]] = []
    for method, points in figures["curves"].items():
        head = f"{called(method)}  {effect(figures['area'][method])}"
        unlabelled = {"recalled": "", "deceived": "", "by_chance": "", "chance": figures["chance"]["recall"]}
        values += [{"panel": head, **point, **unlabelled} for point in points]
    n = len(points)
    values[n - 1]["recalled"], values[0]["deceived"], values[-n]["by_chance"] = "recall", "decoys", "chance of recall"
    panels = list(dict.fromkeys(value["panel"] for value in values))
    at = [point["separation"] for point in points]
    scale = alt.Scale(type="log", base=2, domain=[at[0] / 1.25, at[-1] * 1.25], nice=False)
    x = alt.X("separation:Q", scale=scale, title="separation in SD", axis=alt.Axis(values=at, format="~g", grid=False))
    y, axis = alt.Scale(domain=[-0.06, 1.08], nice=False), alt.Axis(values=[0, 0.5, 1], format=".1f")
    base = alt.Chart().encode(x=x)
    recall = base.encode(y=alt.Y("recall:Q", scale=y, title="share", axis=axis))
    decoys = base.encode(y=alt.Y("decoys:Q", scale=y))
    by_chance = base.encode(y=alt.Y("chance:Q", scale=y))
    words = {"align": "left", "fontSize": 11}
    chart = alt.layer(
        by_chance.mark_line(strokeDash=[1, 3], color=SOFT),
        base.mark_rule(color=INK, strokeWidth=1).encode(y=alt.Y("low:Q", scale=y), y2="high:Q"),
        decoys.mark_line(strokeDash=[4, 3], color=SOFT),
        decoys.mark_point(filled=True, fill="white", stroke=SOFT, shape="square", size=26, opacity=1),
        recall.mark_line(color=INK, strokeWidth=2),
        recall.mark_point(filled=True, color=INK, size=30, opacity=1),
        recall.mark_text(**{**words, "align": "right"}, dx=2, dy=16, color=INK).encode(text="recalled:N"),
        decoys.mark_text(**words, dx=8, dy=-4, color=SOFT).encode(text="deceived:N"),
        by_chance.mark_text(**words, dx=2, dy=-9, color=SOFT).encode(text="by_chance:N"),
    ).properties(width=130, height=92)
    header = alt.Header(labelAnchor="start", labelColor=INK)
    facet = alt.Facet("panel:N", sort=panels, title=None, header=header)
    whole = chart.facet(facet, columns=5, data=alt.Data(values=values), spacing={"row": 12, "column": 16})
    look = {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "labelColor": SOFT, "titleColor": SOFT}
    whole = whole.configure(background="white", font="Helvetica, Arial, sans-serif", padding=10, view={"stroke": None})
    whole = whole.configure_axis(**look, titleFontWeight="normal")
    spec: dict[str, Any] = whole.configure_header(labelFontSize=11.5, labelFontWeight="bold", labelLimit=170).to_dict()
    return spec


def called(method: str) -> str:
    """A method as it is called in the picture.

    >>> called("probeless:standardise=true"), called("auroc"), called("mean_gap")
    ('probeless, standardised', 'AUROC', 'mean gap')
    """
    name = {"auroc": "AUROC", "iou": "IoU", "f": "F", "gaussian probe, greedy": "Gaussian probe"}.get(method, method)
    return name.replace(":standardise=true", ", standardised").replace("_", " ")


def main() -> int:
    """Fill the page, draw the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("atlas", type=Path, nargs="?")
    parser.add_argument("--recovery", type=Path, help="file with the JSON object of benchmarks/finding.py")
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--image", type=Path, default=IMAGE)
    arguments = parser.parse_args()
    made: dict[str, str] = {}
    if arguments.atlas is not None:
        atlas = Atlas.open(arguments.atlas)
        wanted = {"probes": (LINEAR, GAUSSIAN), "rankings": OTHERS, "comparisons": (MOVED,)}
        lacks = [
            f"{kind}/{name}" for kind, names in wanted.items() for name in names if name not in annexes(atlas, kind)
        ]
        if lacks:
            print(f"The atlas lacks {', '.join(lacks)}.", file=sys.stderr)
            return 2
        made = {name: table(atlas) for name, table in TABLES.items()}
    if arguments.recovery is not None:
        import vl_convert

        figures = json.loads(arguments.recovery.read_text(encoding="utf-8").splitlines()[-1])
        made["recovery"] = recovery(figures)
        arguments.image.write_text(vl_convert.vegalite_to_svg(drawn(figures)), encoding="utf-8")
    arguments.page.write_text(filled(arguments.page.read_text(encoding="utf-8"), made), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
