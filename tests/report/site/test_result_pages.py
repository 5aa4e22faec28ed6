"""Pages of rankings, probes and comparisons: every figure stands on them, and what is absent leaves no trace."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest

from unitscope.annex import write_annex
from unitscope.atlas import Atlas
from unitscope.report.plain import clean, count, effect, interval, share
from unitscope.report.site import curves, pages
from unitscope.report.site.comparison_view import comparison_view
from unitscope.report.site.data import SiteData
from unitscope.report.site.probe_view import lede, minimal, probe_view, probes_view, who
from unitscope.report.site.ranking_view import parameters, ranking_view, rankings_view


@pytest.fixture(scope="module")
def data(hostile_site) -> SiteData:
    return SiteData(Atlas.open(hostile_site.parent / "atlas"))


def text_of(page: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", " ", page)))


def test_links_lead_to_pages(hostile_site, image_site) -> None:
    for kind in ("rankings", "probes", "comparisons"):
        page = hostile_site / f"{kind}.html"
        links = re.findall(rf'href="({kind}/[^"#]+)"', page.read_text("utf-8"))
        assert links
        assert all((hostile_site / link).is_file() for link in links)
        assert f'href="{kind}.html"' in (hostile_site / "index.html").read_text("utf-8")
        assert f"{kind}.html" not in (image_site / "index.html").read_text("utf-8")
        assert not (image_site / f"{kind}.html").exists()
        assert not (image_site / kind).exists()


def test_all_links_of_result_pages_are_there(hostile_site) -> None:
    for page in [*hostile_site.glob("*/*.html")]:
        if page.parent.name in ("rankings", "probes", "comparisons"):
            for link in re.findall(r'href="([^"]+)"', page.read_text("utf-8")):
                path = html.unescape(link).partition("#")[0] or page.name
                assert (page.parent / path).resolve().is_file(), (page.name, link)


def test_a_ranking_s_page_lists_its_best_units(data: SiteData) -> None:
    view, page = ranking_view(data, "probeless"), text_of(pages.ranking_page(data, "probeless"))
    ranked = next(each for each in data.beside.ranked if each.name == "probeless")
    rows = data.beside.rows(ranked.annex, "units")
    for section in view["sections"]:
        best = [row for row in rows if row["target"] == section["target"] and row["rank"] <= 20]
        assert [row["key"] for row in section["rows"]] == [(row["layer"], row["unit"]) for row in best][
            : section["top"]
        ]
        assert sum(row["n"] for row in section["layers"]) == section["top"]
        assert clean(section["target"]) in page
    assert len(view["matrix"]["cells"]) == len(ranked.targets)
    for i, row in enumerate(view["matrix"]["cells"]):
        assert row[i]["share"] == 1
        for j, cell in enumerate(row):
            assert cell["share"] == view["matrix"]["cells"][j][i]["share"]


def test_rankings_that_share_targets_are_compared(data: SiteData) -> None:
    view = rankings_view(data)
    names = view["matrix"]["names"]
    assert names == ["auroc", "probeless", "variance"]
    cells = view["matrix"]["cells"]
    assert cells[0][1]["share"] > cells[0][1]["chance"]
    assert cells[0][2] is None  # no target in common
    assert f"{effect(cells[0][1]['share'])} ({len(view['rows'][0]['targets'])})" in text_of(
        pages.listing_page(data, "rankings")
    )


def test_a_probe_s_page_has_every_figure(data: SiteData) -> None:
    annex = data.beside.get("probes", "upos")
    view, page = probe_view(data, "upos"), text_of(pages.probe_page(data, "upos"))
    assert view["own"]["variant"] == "trained"
    for row in data.beside.rows(annex, "scores"):
        assert effect(row["value"]) in page
        assert interval(row["low"], row["high"]) in page
    for row in data.beside.rows(annex, "curve"):
        assert f"{effect(row['accuracy'])} {interval(row['low'], row['high'])}" in page
        assert count(row["n_units"]) in page
    for row in data.beside.rows(annex, "layers"):
        assert f"{count(row['count'])} ({share(row['share'])})" in page
    for row in data.beside.rows(annex, "classes"):
        assert f"{effect(row['recall'])} {interval(row['low'], row['high'])}" in page
    assert "The fewest units that do within .01 of all units" in page
    assert "Beside it: linear, untrained .85, control labels .61, the word form alone .88" in page
    assert "above control labels (selectivity)" in page
    assert "+.32" in page
    assert data.manifest["key"] in page
    assert probes_view(data)[0]["name"] == "upos"


def test_the_chart_holds_the_curve_s_points(data: SiteData) -> None:
    view = probe_view(data, "upos")
    spec = curves.curve(view["curves"], 0.93, "accuracy")
    values = spec["data"]["values"]
    rows = data.beside.rows(data.beside.get("probes", "upos"), "curve")
    assert {(value["selection"], value["units"], value["value"]) for value in values} == {
        (row["selection"], row["n_units"], row["accuracy"]) for row in rows
    }
    assert len({value["panel"] for value in values}) == 2
    shapes = [layer["encoding"].get("shape") for layer in spec["spec"]["layer"]]
    assert any(shape and len(set(shape["scale"]["range"])) == 3 for shape in shapes)  # no meaning by colour alone


def test_a_probe_of_scores_alone(tmp_path, site_atlas) -> None:
    """Tables and columns that a probe need not have leave nothing behind."""
    atlas = site_atlas.write(tmp_path / "atlas", hostile=False, n_items=4, width=4)
    scores = {
        "probe": np.array(["gaussian"], object),
        "variant": np.array(["trained"], object),
        "metric": np.array(["r2"], object),
        "value": np.array([-0.2]),
        "n": np.array([30]),
    }
    write_annex(atlas, "probes", "bare", {"scores": scores}, {})
    page = pages.probe_page(SiteData(atlas), "bare")
    assert "with r2 -.20" in text_of(page)
    for title in ("How many units", "Where each class", "Classes", "vega.js"):
        assert title not in page


def test_words_for_scores() -> None:
    assert who({"probe": "control", "variant": "trained"}) == "control labels"
    assert (
        minimal({"smallest": {"n_units": 30, "reached": False}}) == "No smaller set of units does: all 30 are needed."
    )
    assert minimal({}) == ""
    assert lede({"own": None}) == ["This probe has no scores."]
    assert parameters(None) == ""
    assert parameters({"a": {}, "b": 0}) == "b 0"


def test_a_comparison_s_page_has_every_mover(data: SiteData) -> None:
    for name, by_profile in (("vs-other", False), ("by-profile", True)):
        view, page = comparison_view(data, name), text_of(pages.comparison_page(data, name))
        rows = data.beside.rows(data.beside.get("comparisons", name), "units")
        changed = [row for row in rows if row["status"] in ("moved", "lost", "gained")]
        assert view["n_movers"] == len(changed)
        for row in changed:
            assert f"{row['layer']}:{row['unit']}" in page
            if row["effect_a"] is not None:
                assert f"{effect(row['effect_a'])} {interval(row['low_a'], row['high_a'])}" in page
        for row in rows:
            if row["change"] == "weaker":
                assert f"{effect(row['difference'])} {interval(row['difference_low'], row['difference_high'])}" in page
        assert ("Where the most alike units lie" in page) == by_profile
        assert all(each in page for each in view["sentences"][:6])


def test_a_unit_s_page_names_its_rankings_and_comparisons(data: SiteData) -> None:
    key = next(key for key in data.reported if data.beside.near_top(*key))
    page = text_of(pages.unit_page(data, key))
    for row in data.beside.near_top(*key)[:12]:
        assert f"{row['rank']} of {count(row['n'])}" in page
    assert "Beside other atlases" in page
