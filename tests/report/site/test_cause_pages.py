"""Pages of effects, attributions and steering: every figure stands on them, and what is absent leaves no trace."""

from __future__ import annotations

import html
import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

from unitscope.annex import write_annex
from unitscope.atlas import Atlas
from unitscope.causal.effects import Effect
from unitscope.cli import app
from unitscope.errors import StoreError
from unitscope.report import ablated
from unitscope.report.plain import clean
from unitscope.report.site import curves, pages
from unitscope.report.site.ablations import sentences
from unitscope.report.site.attribution_view import attribution_view
from unitscope.report.site.data import SiteData
from unitscope.report.site.effect_drawings import deviation, dose
from unitscope.report.site.effect_view import effect_view
from unitscope.report.site.effect_words import amount, at_concept, cost, ends, matters, overall, verdict
from unitscope.report.site.export import export
from unitscope.report.site.steering_view import changed, steering_view, strength_points


@pytest.fixture(scope="module")
def data(hostile_site) -> SiteData:
    return SiteData(Atlas.open(hostile_site.parent / "atlas"))


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def rows_of(data: SiteData, kind: str, name: str, table: str) -> list:
    return data.beside.rows(data.beside.get(kind, name), table)


def test_links_lead_to_pages(hostile_site, image_site) -> None:
    for kind in ("effects", "attributions", "steering"):
        index = hostile_site / f"{kind}.html"
        links = re.findall(rf'href="({kind}/[^"#]+)"', index.read_text("utf-8"))
        assert links
        for link in links:
            page = hostile_site / link
            for target in re.findall(r'href="([^"#]+)', page.read_text("utf-8")):
                assert (page.parent / html.unescape(target)).resolve().is_file(), (link, target)
        assert f'href="{links[0]}"' in (hostile_site / "index.html").read_text("utf-8")
        assert not (image_site / f"{kind}.html").exists()
    assert "was not measured here" in (image_site / "index.html").read_text("utf-8")
    assert "was not measured here" not in (hostile_site / "index.html").read_text("utf-8")


def test_an_effect_s_page_has_every_figure(data: SiteData) -> None:
    page = text_of(pages.effect_page(data, "loss-all"))
    for table, names in (
        ("units", ("effect",)),
        ("matches", ("inside", "outside", "difference")),
        ("causes", ("written", "inside", "difference")),
        ("doses", ("value", "effect", "setting")),
        ("classes", ("effect",)),
        ("pairs", ("effect", "expected", "beyond")),
        ("greedy", ("chosen_effect", "effect", "random", "beyond")),
    ):
        for row in rows_of(data, "effects", "loss-all", table):
            for name in names:
                text = f"{row[name]:.3g}" if name in ("value", "setting") else amount(row[name])
                assert text in page, (table, name, row)
    for row in rows_of(data, "effects", "loss-all", "curve"):
        if row["selection"].removeprefix("keep ") != "random":
            assert f"{amount(row['effect'])} {ends(row['low'], row['high'])}" in page
    assert "they matter more" in page
    assert "does not bear the label out" in page


def test_the_chart_holds_points_taken_out_and_kept(data: SiteData) -> None:
    view = effect_view(data, "loss-all")
    spec = curves.effects(view["curve"], view["unedited"], view["metric"])
    values = spec["data"]["values"]
    rows = [
        row for row in rows_of(data, "effects", "loss-all", "curve")
        if row["selection"] not in ("random", "keep random") and not row["selection"].endswith("beyond")
    ]  # fmt: skip
    assert len(values) == len(rows) == 18
    assert {value["value"] for value in values} == {row["value"] for row in rows}
    assert len({value["panel"] for value in values}) == 2
    for value in values:
        assert value["low"] == pytest.approx(2.31 + value["effect_low"])


def test_a_unit_s_page_says_what_it_does(data: SiteData) -> None:
    found = next(each for each in data.ablations if each.name == "loss-all")
    told = 0
    for key, tables in found.of_unit.items():
        if "doses" not in tables or key not in data.reported_place:
            continue
        told += 1
        page = pages.unit_page(data, key)
        text = text_of(page)
        lede = re.search(r'<p class="lede">(.*?)</p>', page, re.S)
        assert lede
        said = sentences(data.ablations, key)
        assert len(said) == 2
        assert all(clean(each) in text_of(lede[1]) for each in said)
        for name in ("What it does", "Dose and response", "By class", "What flows through it", "reads", "writes"):
            assert name in text
        for row in tables["classes"]:
            assert f"{amount(row['effect'])} {ends(row['low'], row['high'])}" in text
        assert "Slope +0.002 [+0.001, +0.003] for each 1 that the unit is raised" in text
        for row in tables["causes"]:
            assert (row["contradiction"] in text) if row["contradiction"] else True
    assert told == 3
    bare = next(key for key in data.reported if key not in found.of_unit or "doses" not in found.of_unit[key])
    assert "Dose and response" not in pages.unit_page(data, bare)


@pytest.mark.parametrize("difference", [0.3, -0.3])
@pytest.mark.parametrize("inside", [(0.2, 0.4), (-0.1, 0.4), (float("nan"), float("nan"))])
@pytest.mark.parametrize("q", [0.01, 0.06, float("nan")])
def test_verdicts_are_those_of_the_terminal(difference: float, inside: tuple[float, float], q: float) -> None:
    wanted = ablated.verdict(Effect(difference, 0.0, 0.0, q), Effect(0.3, *inside, 0.5), q)
    row = {"concept": "X", "difference": difference, "inside": 0.3, "inside_low": inside[0], "inside_high": inside[1]}
    row |= {"q": q, "outside": 0.1}
    if inside[0] != inside[0] and wanted in ("no cost", "elsewhere", "no difference"):
        return  # without an interval the page says nothing
    assert verdict(row, rising=False) == wanted.replace("–", "")
    mirrored = {**row, "difference": -difference, "inside": -0.3, "inside_low": -inside[1], "inside_high": -inside[0]}
    assert verdict(mirrored, rising=True) == wanted.replace("–", "")


def test_words_for_effects() -> None:
    row = {"concept": "X", "inside": 0.001, "inside_low": -0.1, "inside_high": 0.1, "outside": None, "q": 0.5}
    row |= {"difference": 0.0}
    assert at_concept(row, "loss", False).endswith(
        "it detects X, but taking it out costs nothing that could be measured where X is."
    )
    row |= {"inside_low": 0.0005, "inside_high": 0.1}
    assert at_concept(row, "loss", False).endswith("costs no more than elsewhere where X is.")
    assert overall({"effect": -0.1, "q": 0.01}, "accuracy", True).endswith("(q .010): worse without it.")
    assert overall({"effect": -0.1, "low": None, "q": None}, "loss", False) == "Without it the loss changes by -0.1."
    assert matters({"effect": 0.1, "q": 0.5}, True) == "no measurable effect"
    assert cost(float("nan"), True) == 0.0


def test_drawings_tell_their_figures() -> None:
    rows = [
        {"quantile": 0.1, "setting": -1.0, "value": 2.0, "low": -0.1, "high": 0.1},
        {"quantile": 0.9, "setting": 3.0, "value": 2.5, "low": 0.2, "high": 0.6},
    ]
    drawn = dose(rows, 2.1, "loss")
    assert 'aria-label="loss over the unit&#39;s quantiles: 10 % 2, 90 % 2.5; unedited 2.1"' in drawn
    assert 'class="band"' in drawn
    ys = [float(y) for y in re.findall(r'circle class="point" cx="[\d.]+" cy="([\d.]+)"', drawn)]
    assert ys[0] > ys[1]  # more is further up
    whole = float(re.search(r'class="whole"[^>]* y1="([\d.]+)"', drawn)[1])
    assert ys[1] < whole < ys[0]
    assert dose([], 2.1, "loss") == ""
    constant = [{"quantile": 0.5, "setting": 0.0, "value": 1.0, "low": None, "high": None}]
    assert "nan" not in dose(constant, None, "loss")
    assert deviation(None, None, None, 1.0) == ""
    assert "-0.5; interval [-0.7, -0.3]" in deviation(-0.5, -0.7, -0.3, 1.0)


def test_single_units_without_intervals(data: SiteData) -> None:
    page = text_of(pages.effect_page(data, "accuracy-bare"))
    for title in ("How many units", "By class", "Pairs", "Dose and response", "bear out", "nan"):
        assert title not in page
    assert "no interval" in page


def test_an_attribution_s_page_has_every_figure(data: SiteData) -> None:
    view, page = attribution_view(data, "output-0"), text_of(pages.attribution_page(data, "output-0"))
    for row in rows_of(data, "attributions", "output-0", "units"):
        assert f"{amount(row['mean'])} {ends(row['low'], row['high'])}" in page
    sites = rows_of(data, "attributions", "output-0", "sites")
    for row in sites:
        assert amount(row["value"]) in page
        assert row["word"].replace("\u202e", "\u202e") in page
    assert [len(each["words"]) for each in view["maps"]] == [8, 2]
    for each in view["maps"]:
        for at, layer in enumerate(each["layers"]):
            whole = sum(row["value"] for row in sites if row["item"] == each["item"] and row["layer"] == layer)
            assert each["sums"][at] == pytest.approx(whole)
        heats = [cell["heat"] for row in each["words"] for cell in row["cells"]]
        assert max(heats) == 1.0
        assert all((cell["value"] < 0) == cell["below"] for row in each["words"] for cell in row["cells"])
    assert "does: encoder.layer.0.intermediate +0.62 [+0.3, +0.8], encoder.layer.0 +0.62 [+0.3, +0.8]" in page
    assert "sufficiency random" in page


def test_a_steering_s_page_marks_what_changed(data: SiteData) -> None:
    view, raw = steering_view(data, "tense"), pages.steering_page(data, "tense")
    assert "<del>sees</del>" in raw
    assert "<ins>saw</ins>" in raw
    assert "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;" in raw
    text = text_of(raw)
    assert "10 units at strength 2 take success (success rate) from .08 to .62 (+0.54 [+0.49, +0.59])." in text
    assert "Random sets of the same size: .10 (+0.025 [-0.025, +0.075]). The ranked units steer better" in text
    for row in rows_of(data, "steering", "tense", "sets"):
        assert row["selection"] == "none" or f"{amount(row['effect'])} {ends(row['low'], row['high'])}" in text
    assert [row["called"] for row in view["sets"]] == ["no edit", "steered", "random units", "steered less random"]
    assert len(view["draws"]) == 2
    assert view["chosen"]["strength"] == 2.0
    spec = curves.strengths(strength_points(view["strengths"]))
    assert sum(value["chosen"] for value in spec["data"]["values"]) == 2  # of success and of collateral
    assert {value["selection"] for value in spec["data"]["values"]} == {
        "steered, 10 units", "random, 10 units", "steered, 5 units"
    }  # fmt: skip
    assert raw.count("unchanged") == 1


def test_changes_put_both_texts_together_again() -> None:
    for before, after in (("a b c", "a x c d"), ("", "a"), ("a  b", "a b"), ("x", "")):
        for runs, text in zip(changed(before, after), (before, after), strict=True):
            assert " ".join(words for words, _ in runs) == " ".join(text.split())
    assert not any(new for side in changed("a b", "a  b") for _, new in side)


def test_a_steering_of_sets_alone(tmp_path, site_atlas) -> None:
    atlas = site_atlas.write(tmp_path / "atlas", hostile=False, n_items=4, width=4)
    sets = {
        "selection": np.array(["steered"], object), "draw": np.array([0]), "n_units": np.array([3]),
        "strength": np.array([1.0]), "success": np.array([0.5]), "low": np.array([np.nan]), "high": np.array([np.nan]),
    }  # fmt: skip
    write_annex(atlas, "steering", "few", {"sets": sets}, {})
    write_annex(atlas, "effects", "none", {}, {})
    write_annex(atlas, "attributions", "none", {}, {})
    export(atlas, tmp_path / "site")
    page = (tmp_path / "site" / "steering" / "few.html").read_text("utf-8")
    assert "<b>.50</b>" in page
    assert "vega.js" not in page
    assert "Random sets of the same size" not in page


def test_a_damaged_result_is_left_out_and_told(tmp_path, site_atlas, site_annexes, cause_annexes) -> None:
    atlas = site_atlas.write(tmp_path / "atlas", hostile=False, n_items=4, width=4)
    targets = ["upos:TAG0", "upos:TAG1"]
    site_annexes.write(atlas, targets)
    cause_annexes.write(atlas, targets)
    home = tmp_path / "atlas"
    table = home / "rankings" / "auroc.units.parquet"
    table.write_bytes(table.read_bytes()[:-1])
    (home / "effects" / "loss-all.json").write_text("{}")
    (home / "steering" / "tense.sets.parquet").unlink()
    found = CliRunner().invoke(app, ["export", str(home), str(tmp_path / "site"), "--json"])
    assert found.exit_code == 0, found.stderr
    told = json.loads(found.stdout)["left_out"]
    assert [each.partition(":")[0] for each in told] == ["rankings/auroc", "effects/loss-all", "steering/tense"]
    site = tmp_path / "site"
    assert "Left out, since it cannot be read" in (site / "rankings.html").read_text("utf-8")
    assert (site / "rankings" / "probeless.html").exists()
    assert not (site / "rankings" / "auroc.html").exists()
    assert (site / "effects" / "accuracy-bare.html").exists()
    assert not (site / "steering.html").exists()  # none is left
    overview = text_of((site / "index.html").read_text("utf-8"))
    for name in ("rankings/auroc", "effects/loss-all", "steering/tense"):
        assert name in overview
    plain = CliRunner().invoke(app, ["export", str(home), str(site)])
    assert "left out: rankings/auroc" in plain.stderr
    with pytest.raises(StoreError, match="corrupted or missing"):
        SiteData(Atlas.open(home)).beside.get("rankings", "auroc").check()
