"""Write the tables of docs/minilm-ewt.md from an atlas with both baselines.

The atlas is made by the command on the page. Each table stands between `<!-- begin table: NAME -->` and
`<!-- end table -->`; everything else on the page stays as it is.

Usage: docs/figures/minilm_ewt.py ATLAS [--page PAGE]
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from unitscope.atlas import Atlas
from unitscope.report import findings
from unitscope.report.plain import chance, clean, count, direction, effect, interval, listed, share

PAGE = Path(__file__).resolve().parent.parent / "minilm-ewt.md"
TABLE = re.compile(r"(<!-- begin table: (?P<name>[\w-]+) -->\n).*?(<!-- end table -->)", re.S)
N_BEST, N_CONCEPTS = 15, 15
VARIANTS = ("trained", "untrained", "rotation")


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table whose first `texts` columns are text, all others numbers set to the right."""
    lines = [heads, ["---"] * texts + ["---:"] * (len(heads) - texts), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def run(atlas: Atlas) -> str:
    """What was run."""
    study, notes = atlas.manifest["study"], atlas.manifest["notes"]["resampling"]
    rows = [["corpus", clean(study["corpus"])], ["layers", str(len(study["layers"]))]]
    rows.append(["units", count(sum(layer["width"] for layer in study["layers"]))])
    for grid in atlas.manifest["grids"].values():
        rows += [
            ["words", count(grid["sites"])],
            ["documents", count(grid["groups"])],
            ["words on half A, half B", f"{count(grid['sites_a'])}, {count(grid['sites_b'])}"],
            ["concepts, tested of them", f"{count(grid['concepts'])}, {count(grid['concepts_eligible'])}"],
        ]
    rows.append(["smallest attainable q", f"{atlas.summary['trained']['all']['smallest_q']:.1g}"])
    used, other = notes["between"]
    changed = f"{count(notes['changed'])} of {count(notes['of'])} ({share(notes['share'])})"
    rows.append([f"units tested on another concept with {other} for {used} subword", changed])
    rows.append(["versions", ", ".join(f"{name} {study['versions'][name]}" for name in ("unitscope", "torch"))])
    return markdown(["", ""], rows)


def contextual(atlas: Atlas) -> str:
    """Share of contextual units by layer and variant, and what one in a hundred units exceeds."""
    rows = []
    for layer in atlas.layers:
        counts = [atlas.summary[variant][layer] for variant in VARIANTS]
        shares = [share(each[name], each["units"]) for name in ("contextual", "with_context") for each in counts]
        rows.append([f"`{layer}`", *shares, *(effect(each["within_form_position_p99"]) for each in counts)])
    heads = [f"{what} {variant}" for what in ("first", "any", "p99") for variant in VARIANTS]
    return markdown(["layer", *heads], rows)


def kinds(atlas: Atlas) -> str:
    """Units of the trained model by kind and layer."""
    rows, found = [], findings.kinds(atlas)
    for row in findings.layer_rows(atlas):
        numbers = [count(row[name]) for name in ("units", "reported")]
        rows.append([f"`{row['layer']}`", *numbers, *(share(row[kind], row["units"]) for kind in found)])
    return markdown(["layer", "units", "reported", *found], rows)


def passports(atlas: Atlas) -> str:
    """Median shares of variance: word form in all variants, the other parts in the trained model."""
    parts = [part for part in findings.parts(atlas) if part != "form"]
    rows = []
    for layer in atlas.layers:
        medians = {variant: atlas.summary[variant][layer]["median_shares"] or {} for variant in VARIANTS}
        form = [share(medians[variant].get("form")) for variant in VARIANTS]
        rows.append([f"`{layer}`", *form, *(share(medians["trained"].get(part)) for part in parts)])
    return markdown(["layer", *(f"form {variant}" for variant in VARIANTS), *parts], rows)


def concepts(atlas: Atlas) -> str:
    """Concepts that most units are contextual for."""
    found = atlas.sql(
        "select concept, count(*) as units, count(distinct layer) as layers, median(within_form_position) as middle, "
        "max(within_form_position) as greatest from matches where measure = 'auroc' and kind = 'contextual' "
        f"group by concept order by units desc, concept limit {N_CONCEPTS}"
    )
    rows = [
        [
            f"`{clean(row['concept'])}`",
            *(count(row[name]) for name in ("units", "layers")),
            *(effect(row[name]) for name in ("middle", "greatest")),
        ]
        for row in found
    ]
    return markdown(["concept", "units", "layers", "median effect", "greatest effect"], rows)


def best(atlas: Atlas) -> str:
    """The best-supported contextual match of each concept."""
    first: dict[str, Any] = {}
    for row in findings.best_supported(atlas, kind="contextual", top=100 * N_BEST):
        first.setdefault(row["concept"], row)
    rows = []
    for row in list(first.values())[:N_BEST]:
        rows.append(
            [
                f"`{clean(row['layer'])}:{row['unit']}`",
                f"{direction(row['sign'])} `{clean(row['concept'])}`",
                listed(row["words"]),
                f"{effect(row['score'])} {interval(row['low'], row['high'])}",
                *(effect(row[name]) for name in ("within_form", "within_form_position", "untrained_p99")),
                count(row["n"]),
                chance(row["q"]),
            ]
        )
    heads = ["unit", "concept", "highest at", "AUROC", "in form", "in form × position", "untrained p99", "n", "q"]
    return markdown(heads, rows, texts=3)


TABLES: dict[str, Callable[[Atlas], str]] = {
    "run": run,
    "contextual": contextual,
    "kinds": kinds,
    "passports": passports,
    "concepts": concepts,
    "best": best,
}


def filled(page: str, atlas: Atlas) -> str:
    """The page with its tables written anew. Raises KeyError for a table of an unknown name."""
    return TABLE.sub(lambda match: f"{match[1]}\n{TABLES[match['name']](atlas)}\n{match[3]}", page)


def main() -> int:
    """Fill the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("atlas", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    atlas = Atlas.open(arguments.atlas)
    if missing := set(VARIANTS) - set(findings.variants(atlas)):
        print(f"The atlas lacks the baseline {', '.join(sorted(missing))}.", file=sys.stderr)
        return 2
    arguments.page.write_text(filled(arguments.page.read_text(encoding="utf-8"), atlas), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
