"""Run what docs/what-units-do.md tells of, and write its tables and pictures.

Three networks, each from ranking or labels to ablation, steering and attribution, by the commands of `unitscope`. Every
step leaves a file in the folder of the run, and a step whose file is there is not run again: delete the file, or an
atlas' folder, to run it anew. Tables stand between `<!-- begin table: NAME -->` and `<!-- end table -->`; everything
else on the page stays as it is.

Usage: docs/figures/causes.py FOLDER [--data SHARED --minilm MODEL --gpt2 FOLDER] [--only NAME] [--planted FILE]
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unitscope.annex import annexes, read_annex
from unitscope.atlas import Atlas
from unitscope.report.plain import chance, clean, count, effect, interval, number, share

DOCS = Path(__file__).resolve().parent.parent
PAGE, IMAGES = DOCS / "what-units-do.md", DOCS / "images"
TABLE = re.compile(r"(<!-- begin table: (?P<name>[\w-]+) -->\n).*?(<!-- end table -->)", re.S)
INK, SOFT, LINE = "#222222", "#666666", "#dddddd"

NEWS_LAYER, CAPTION_LAYER, STREET_LAYER = "encoder.layer.5.intermediate", "h.3.mlp.act", "features.12"
N_FIRST = 10
"""First units of an order whose effects are told together."""
FEMALE = "woman,women,girl,girls,lady,ladies,she,her"
LEXICON: Mapping[str, Sequence[str]] = {
    "colour": ["red", "blue", "green", "white", "black", "yellow", "orange", "brown", "pink", "purple", "gray", "grey"],
    "female": [*FEMALE.split(","), "female"],
    "male": ["man", "men", "boy", "boys", "guy", "guys", "he", "his", "male"],
    "one person": ["man", "woman", "boy", "girl", "child", "person", "guy", "lady", "player", "baby"],
    "several persons": ["men", "women", "boys", "girls", "children", "people", "guys", "ladies", "players", "kids"],
    "number": ["two", "three", "four", "five", "several", "many", "some"],
    "clothing": [
        "shirt",
        "hat",
        "jacket",
        "jeans",
        "shorts",
        "dress",
        "pants",
        "helmet",
        "coat",
        "uniform",
        "suit",
        "clothing",
    ],
    "article": ["a", "an", "the"],
    "activity": [
        "playing",
        "standing",
        "sitting",
        "walking",
        "running",
        "riding",
        "holding",
        "wearing",
        "looking",
        "jumping",
    ],
    "animal": ["dog", "dogs", "cat", "horse", "horses", "bird", "birds", "puppy"],
    "outdoor place": ["street", "beach", "field", "park", "road", "grass", "snow", "water", "sidewalk", "mountain"],
    "place word": ["in", "on", "at", "near", "behind", "under", "over", "by", "above", "through", "into"],
}


@dataclass(frozen=True)
class Step:
    """One command and the file that shows that it was run, both with places to be filled in."""

    made: str
    command: str


STEPS = (
    Step(
        "news/manifest.json",
        "map {minilm} --corpus {data}/ag_news/part.csv --columns header=class+title+description,text=title,"
        f"label=class,names={{data}}/ag_news/classes.txt@1 --layers {NEWS_LAYER} --concepts labels "
        "--no-lens --workers 1 --out {run}/news",
    ),
    Step("news/rankings/f.json", "rank {run}/news --by f --concepts labels --half a --name f"),
    *(
        Step(
            f"news/effects/loss-{edit}.json",
            "ablate {run}/news --ranking f --task label:class:loss --units 10,50,200,800 --draws 3 --max-items 400 "
            f"--edit {edit} --name loss-{edit}",
        )
        for edit in ("zero", "mean")
    ),
    Step(
        "news/effects/single.json",
        f"ablate {{run}}/news --task label:class:loss --single {NEWS_LAYER} --max-items 150 --name single",
    ),
    Step(
        "news/steering/sports.json",
        "steer {run}/news --property label:class=Sports --ranking f --concept labels:class=Sports --units 5,50,200 "
        "--max-items 200 --name sports",
    ),
    Step(
        "captions/manifest.json",
        "map {gpt2}/model --corpus {gpt2}/captions.txt --layers h.*.mlp.act --concepts "
        "lexicon:{run}/lexicon.json --max-items 1000 --workers 1 --out {run}/captions",
    ),
    Step(
        "captions/effects/causes.json",
        "ablate {run}/captions --causes 60 --max-items 500 --name causes",
    ),
    Step(
        "captions/effects/single.json",
        f"ablate {{run}}/captions --single {CAPTION_LAYER} --max-items 80 --keep-ranking importance --name single",
    ),
    Step("captions/rankings/auroc.json", "rank {run}/captions --by auroc --concepts lexicon --half a --name auroc"),
    Step(
        "captions/effects/persons.json",
        'ablate {run}/captions --ranking auroc --concept "lexicon:several persons" --units 5,20,80,300 --draws 3 '
        "--max-items 300 --edit mean --name persons",
    ),
    Step(
        "captions/steering/female.json",
        f"steer {{run}}/captions --property words:{FEMALE} --ranking auroc --concept lexicon:female --units 5,20 "
        "--strengths 2,4,8 --limit 0.4 --prompt-words 1 --max-items 100 --name female",
    ),
    *(
        Step(
            f"captions-{method}/attribution.json",
            f"attribute {{gpt2}}/model --corpus {{gpt2}}/captions.txt --max-items 60 --layers {CAPTION_LAYER} "
            f"--target loss --method {method} --judge 64 --heat 0 --out {{run}}/captions-{method}",
        )
        for method in ("integrated-gradients", "gradient-x-activation")
    ),
    Step(
        "street/manifest.json",
        "map zoo:squeezenet --weights {data}/../models/squeezenet1_1_fp16w.safetensors --corpus {data}/camvid/train "
        f"--layers {STREET_LAYER} --max-items 120 --workers 1 --out {{run}}/street",
    ),
    Step("street/rankings/variance.json", "rank {run}/street --by variance --half a --name variance"),
    Step(
        "street/effects/variance.json",
        "ablate {run}/street --ranking variance --task own:top:probability --units 1,10,50,200 --draws 3 "
        "--max-items 40 --name variance",
    ),
    *(
        Step(
            f"street-{method}/attribution.json",
            "attribute zoo:squeezenet --weights {data}/../models/squeezenet1_1_fp16w.safetensors --corpus "
            f"{{data}}/camvid/train --max-items 24 --layers {STREET_LAYER} --target class:top --method {method} "
            f"--steps 10 --judge 64 --heat 0 --out {{run}}/street-{method}",
        )
        for method in ("integrated-gradients", "gradient-x-activation")
    ),
)


def carried_out(places: Mapping[str, str], only: str | None) -> None:
    """Run the steps whose file is missing, one after the other. Raises CalledProcessError where one fails."""
    run = Path(places["run"])
    run.mkdir(parents=True, exist_ok=True)
    (run / "lexicon.json").write_text(json.dumps(LEXICON), encoding="utf-8")
    for step in STEPS:
        if (run / step.made).exists() or (only and not step.made.startswith(only)):
            continue
        words = [word.format(**places) for word in shlex.split(step.command)]
        print(f"unitscope {' '.join(words)}", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "unitscope", *words], check=True, stdout=subprocess.DEVNULL)


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]], texts: int = 1) -> str:
    """A table whose first `texts` columns are text, all others numbers set to the right."""
    lines = [heads, ["---"] * texts + ["---:"] * (len(heads) - texts), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def small(value: float | None) -> str:
    """An effect with as many decimals as it needs: three, without a leading zero."""
    return "–" if value is None or value != value else f"{value:.3f}".replace("0.", ".", 1)


def small_interval(row: Mapping[str, Any], name: str = "") -> str:
    """The interval of an effect."""
    low, high = (row[f"{name}_{end}" if name else end] for end in ("low", "high"))
    return "–" if low is None or low != low else f"[{small(low)}, {small(high)}]"


def curve(atlas: Atlas, name: str) -> str:
    """What is lost without units of a ranking, beside random ones."""
    found = read_annex(atlas, "effects", name)
    at = {(row["selection"], row["n_units"]): row for row in found.rows("curve") if not row["draw"]}
    rows = []
    for n in sorted({n for _, n in at}):
        top, bottom, random, beyond = (at[each, n] for each in ("top", "bottom", "random mean", "beyond"))
        cells = [count(n), *(f"{small(each['effect'])} {small_interval(each)}" for each in (top, random, bottom))]
        rows.append([*cells, f"{small(beyond['effect'])} {small_interval(beyond)}"])
    about = found.about
    text = markdown(["units out", "top", "random", "bottom", "top less random"], rows)
    return f"{text}\nUnedited {about['metric']} {about['unedited']:.2f}; {count(about['n_items'])} held-out items.\n"


def steered(atlas: Atlas, name: str) -> str:
    """Success and damage of steering, beside random sets."""
    found = read_annex(atlas, "steering", name)
    shown = {"none": "nothing", "steered": "steered", "random mean": "as many random units", "beyond": "beyond random"}
    rows = []
    for row in found.rows("sets"):
        if row["selection"] in shown and not row["draw"]:
            cells = [shown[row["selection"]], count(row["n_units"]), effect(row["success"])]
            harm = f"{small(row['collateral'])} {small_interval(row, 'collateral')}"
            rows.append([*cells, f"{small(row.get('effect'))} {small_interval(row)}", harm])
    text = markdown(["", "units", "success", "gained", "collateral damage"], rows)
    return text


def examples(atlas: Atlas, name: str, most: int = 4) -> str:
    """Held-out items before and after."""
    rows = [[clean(row["before"]), clean(row["after"])] for row in read_annex(atlas, "steering", name).rows("examples")]
    return markdown(["before", "after"], rows[:most], texts=2)


def verdicts(atlas: Atlas) -> str:
    """How many labelled units do something for what they are labelled with."""
    rows = read_annex(atlas, "effects", "causes").rows("causes")
    about = read_annex(atlas, "effects", "causes").about
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["verdict"]] = counts.get(row["verdict"], 0) + 1
    apart = sum(_disagree(row) for row in rows)
    lines = [[name, count(n), share(n, len(rows))] for name, n in sorted(counts.items(), key=lambda each: -each[1])]
    text = markdown(["verdict", "units", "share"], lines)
    return (
        f"{text}\n{count(len(rows))} units, {count(about['n_items'])} held-out captions in {count(about['n_blocks'])} "
        f"blocks; zero and mean disagree for {count(apart)} of them.\n"
    )


def _disagree(row: Mapping[str, Any]) -> bool:
    """Whether one way of taking a unit out has an effect above 0 for sure, or below, and the other has not."""
    ways = [(row["difference_low"], row["difference_high"]), (row["other_low"], row["other_high"])]
    if any(end is None or end != end for way in ways for end in way):
        return False
    signs = [1 if low > 0 else -1 if high < 0 else 0 for low, high in ways]
    return signs[0] != signs[1]


def _cause_rows(rows: Iterable[Mapping[str, Any]]) -> str:
    lines: list[list[str]] = [
        [
            f"`{row['layer']}:{row['unit']}`",
            clean(row["concept"]),
            clean(" ".join(row["writes"].split()[:4])) or "–",
            effect(row["reads"]),
            f"{small(row['inside'])} {small_interval(row, 'inside')}",
            f"{small(row['difference'])} {small_interval(row, 'difference')}",
            f"{small(row['other'])} {small_interval(row, 'other')}",
            chance(row["q"]),
        ]
        for row in rows
    ]
    heads = ["unit", "reads", "writes", "AUROC", "lost at the concept", "less elsewhere", "the same, mean", "q"]
    return markdown(heads, lines, texts=3)


def needed(atlas: Atlas) -> str:
    """The units that do most for their concept."""
    rows = [row for row in read_annex(atlas, "effects", "causes").rows("causes") if row["verdict"] == "specific"]
    return _cause_rows(sorted(rows, key=lambda row: -row["difference"])[:8]) if rows else "None.\n"


def idle(atlas: Atlas) -> str:
    """The labelled units of the greatest AUROC that do not matter."""
    rows = [row for row in read_annex(atlas, "effects", "causes").rows("causes") if row["verdict"] != "specific"]
    return _cause_rows(sorted(rows, key=lambda row: -abs(row["reads"] - 0.5))[:8])


def single(atlas: Atlas) -> str:
    """How many single units of a layer matter, and how much of their order is left on other documents."""
    found = read_annex(atlas, "effects", "single")
    rows = found.rows("units")
    sure = [row for row in rows if row["q"] is not None and row["q"] <= 0.05]
    worse = sum(row["effect"] > 0 for row in sure)
    first = rows[0]
    lines = [
        ["units", count(len(rows))],
        ["with an effect (q at most .05)", f"{count(len(sure))} ({share(len(sure), len(rows))})"],
        [f"of these, the {found.about['metric']} rises without them", count(worse)],
        [f"unedited {found.about['metric']}", small(found.about["unedited"])],
        [
            f"most needed on half A: `{first['layer']}:{first['unit']}`, effect on half B",
            f"{small(first['effect'])} {small_interval(first)}",
        ],
    ]
    return markdown(["", ""], lines)


def by_class(atlas: Atlas) -> str:
    """Of each class: units whose removal changes its loss, how much of half A's order is left, and the first unit."""
    found = read_annex(atlas, "effects", "single")
    rows = []
    halves = {each["target"]: each for each in found.about["halves"]}
    # The first half is the task's own, of all classes together.
    for at, (target, half) in enumerate(halves.items()):
        table = found.rows("classes" if at else "units")
        mine = [row for row in table if not at or target.endswith(row["class"])]
        sure = sum(row["q"] is not None and row["q"] <= 0.05 for row in mine)
        first, left = mine[0], next((each for each in half["left"] if each["n_units"] == N_FIRST), None)
        rows.append(
            [
                target if at else "all",
                count(sure),
                number(half["reliability"]),
                "–"
                if left is None
                else f"{small(left['chosen_effect'])}, {small(left['effect'])} {small_interval(left)}",
                f"`{first['layer']}:{first['unit']}`",
                f"{small(first['effect'])} {small_interval(first)}",
            ]
        )
    heads = [
        "class",
        "units with q at most .05",
        "A with B",
        f"first {N_FIRST}: on A, on B",
        "first unit",
        "its effect on B",
    ]
    return markdown(heads, rows)


def judged(run: Path, folders: Sequence[str]) -> str:
    """How well attribution agrees with what single units do."""
    rows = []
    for folder in folders:
        about = json.loads((run / folder / "attribution.json").read_text(encoding="utf-8"))
        for each in about.get("judged") or about.get("judgements") or []:
            kept, removed = each["sufficiency"], each["comprehensiveness"]
            cells = [f"{number(removed)}, {number(each['comprehensiveness_random'])}"]
            cells.append(f"{number(kept)}, {number(each['sufficiency_random'])}")
            kind = "captions, loss" if folder.startswith("captions") else "street, top class"
            method = about["method"]
            rows.append([kind, f"`{method}`", effect(each["correlation"]), interval(each["low"], each["high"]), *cells])
    heads = ["of", "method", "rank correlation", "95 %", "lost without the first, random", "lost but for them"]
    return markdown(heads, rows, texts=2)


def trained(gpt2: Path) -> str:
    """Perplexity of the small GPT-2 beside counts."""
    figures = json.loads((gpt2 / "figures.json").read_text(encoding="utf-8"))
    rows = [
        [
            {"network": "the small GPT-2"}.get(name, name),
            f"{each['perplexity']:.1f}",
            f"[{each['low']:.1f}, {each['high']:.1f}]",
        ]
        for name, each in figures["held_out"].items()
    ]
    return markdown(["", "perplexity of a token", "95 %"], rows)


def planted(line: str) -> str:
    """Who finds the planted causes, from the last line of benchmarks/causes.py."""
    figures = json.loads(line)
    rows = [
        [name, f"{effect(each['recall'])} {interval(each['low'], each['high'])}", effect(each["false"])]
        for name, each in figures["methods"].items()
    ]
    text = markdown(["", "recall", "false of those named"], rows)
    return f"{text}\n{count(figures['networks'])} networks.\n"


def tables(run: Path) -> dict[str, Callable[[], str]]:
    """What can be made of the files that are there."""
    made: dict[str, Callable[[], str]] = {}
    atlases = {
        name: Atlas.open(run / name)
        for name in ("news", "captions", "street")
        if (run / name / "manifest.json").exists()
    }
    news, captions = atlases.get("news"), atlases.get("captions")
    if news is not None:
        for name in ("loss-zero", "loss-mean"):
            if name in annexes(news, "effects"):
                made[f"news-{name}"] = lambda name=name: curve(news, name)  # type: ignore[misc]
        if "single" in annexes(news, "effects"):
            made["news-classes"] = lambda: by_class(news)
        if "sports" in annexes(news, "steering"):
            made["news-steered"] = lambda: steered(news, "sports")
    street = atlases.get("street")
    if street is not None and "variance" in annexes(street, "effects"):
        made["street-curve"] = lambda: curve(street, "variance")
    if captions is not None:
        if "causes" in annexes(captions, "effects"):
            made |= {
                "verdicts": lambda: verdicts(captions),
                "needed": lambda: needed(captions),
                "idle": lambda: idle(captions),
            }
        if "persons" in annexes(captions, "effects"):
            made["captions-curve"] = lambda: curve(captions, "persons")
        if "single" in annexes(captions, "effects"):
            made["single"] = lambda: single(captions)
        if "female" in annexes(captions, "steering"):
            made["captions-steered"] = lambda: steered(captions, "female")
            made["examples"] = lambda: examples(captions, "female")
    folders = sorted(path.parent.name for path in run.glob("*/attribution.json"))
    if folders:
        made["judged"] = lambda: judged(run, folders)
    return made


def filled(page: str, made: Mapping[str, str]) -> str:
    """The page with the tables that were made; others stay. Raises KeyError where the page lacks one."""
    missing = set(made) - {match["name"] for match in TABLE.finditer(page)}
    if missing:
        raise KeyError(sorted(missing)[0])

    def put(match: re.Match[str]) -> str:
        name = match["name"]
        return f"{match[1]}\n{made[name]}\n{match[3]}" if name in made else match[0]

    return TABLE.sub(put, page)


def curves(atlas: Atlas) -> dict[str, Any]:
    """The curves of ranked and random units with intervals, zero beside mean."""
    import altair as alt

    values = []
    for edit in ("zero", "mean"):
        for row in read_annex(atlas, "effects", f"loss-{edit}").rows("curve"):
            if row["selection"] in ("top", "bottom", "random mean"):
                kind = row["selection"].removesuffix(" mean")
                shown = {name: row[name] for name in ("n_units", "effect", "low", "high")}
                values.append({**shown, "units": kind, "edit": f"set to {'zero' if edit == 'zero' else 'their mean'}"})
    colours = alt.Scale(domain=["top", "random", "bottom"], range=["#b2182b", SOFT, "#2166ac"])
    numbers = sorted({value["n_units"] for value in values})
    base = alt.Chart().encode(
        x=alt.X("n_units:O", title="units out", axis=alt.Axis(values=numbers, labelAngle=0, grid=False)),
        xOffset=alt.XOffset("units:N", sort=["top", "random", "bottom"]),
        color=alt.Color("units:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
    )
    chart = alt.layer(
        alt.Chart().mark_rule(color=LINE).encode(y=alt.datum(0)),
        base.mark_rule().encode(y=alt.Y("low:Q", title="loss gained"), y2="high:Q"),
        base.mark_point(filled=True, size=36, opacity=1).encode(y="effect:Q"),
    ).properties(width=230, height=170)
    facet = alt.Facet("edit:N", title=None, sort=["set to zero", "set to their mean"])
    return _styled(chart.facet(facet, data=alt.Data(values=values), columns=2))


def dots(atlas: Atlas) -> dict[str, Any]:
    """What each labelled unit does for its concept, with intervals, in order."""
    import altair as alt

    rows = sorted(read_annex(atlas, "effects", "causes").rows("causes"), key=lambda row: -row["difference"])
    values = [
        {
            "order": at,
            "difference": row["difference"],
            "low": row["difference_low"],
            "high": row["difference_high"],
            "other": row["other"],
            "verdict": "specific" if row["verdict"] == "specific" else "not specific",
        }
        for at, row in enumerate(rows, 1)
    ]
    colours = alt.Scale(domain=["specific", "not specific"], range=["#b2182b", SOFT])
    base = alt.Chart().encode(
        x=alt.X("order:Q", title="labelled units, in order", axis=alt.Axis(grid=False)),
        color=alt.Color("verdict:N", scale=colours, legend=alt.Legend(title=None, orient="top")),
    )
    title = "loss at the concept less elsewhere, nats"
    chart = alt.layer(
        alt.Chart().mark_rule(color=LINE).encode(y=alt.datum(0)),
        base.mark_rule().encode(y=alt.Y("low:Q", title=title), y2="high:Q"),
        base.mark_point(filled=True, size=26, opacity=1).encode(y="difference:Q"),
        base.mark_point(shape="diamond", size=22, opacity=0.9).encode(y="other:Q"),
    ).properties(width=560, height=210, data=alt.Data(values=values))
    return _styled(chart)


def _styled(chart: Any) -> dict[str, Any]:
    look = {"gridColor": LINE, "domainColor": LINE, "tickColor": LINE, "labelColor": SOFT, "titleColor": SOFT}
    whole = chart.configure(background="white", font="Helvetica, Arial, sans-serif", padding=10, view={"stroke": None})
    whole = whole.configure_axis(**look, titleFontWeight="normal").configure_header(labelColor=INK)
    spec: dict[str, Any] = whole.to_dict()
    return spec


def draw(run: Path) -> None:
    """The pictures whose files are there."""
    import vl_convert

    wanted = (
        ("what-units-do-news.svg", "news", ("loss-zero", "loss-mean"), curves),
        ("what-units-do-captions.svg", "captions", ("causes",), dots),
    )
    for image, name, needs, make in wanted:
        if not (run / name / "manifest.json").exists():
            continue
        atlas = Atlas.open(run / name)
        if set(needs) <= set(annexes(atlas, "effects")):
            (IMAGES / image).write_text(vl_convert.vegalite_to_svg(make(atlas)), encoding="utf-8")


def main() -> int:
    """Run what is missing, fill the page, draw the pictures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of the run")
    parser.add_argument("--data", help="folder of ag_news and camvid, with models beside it")
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--gpt2", help="folder that benchmarks/small_gpt2.py --out has written")
    parser.add_argument("--planted", type=Path, help="file with the JSON object of benchmarks/causes.py")
    parser.add_argument("--only", help="only steps whose file begins so: news, captions, street")
    parser.add_argument("--page", type=Path, default=PAGE)
    arguments = parser.parse_args()
    places = {name: getattr(arguments, name) for name in ("data", "minilm", "gpt2")}
    if all(places.values()):
        carried_out({**places, "run": str(arguments.run)}, arguments.only)
    made = {name: table() for name, table in tables(arguments.run).items()}
    if arguments.gpt2 and (Path(arguments.gpt2) / "figures.json").exists():
        made["trained"] = trained(Path(arguments.gpt2))
    if arguments.planted is not None:
        made["planted"] = planted(arguments.planted.read_text(encoding="utf-8").splitlines()[-1])
    arguments.page.write_text(filled(arguments.page.read_text(encoding="utf-8"), made), encoding="utf-8")
    draw(arguments.run)
    return 0


if __name__ == "__main__":
    sys.exit(main())
