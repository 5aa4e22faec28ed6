"""Exported sites in a real browser, from disk, with the network off."""

import json
import re
import urllib.parse

import pytest

from unitscope.atlas import Atlas
from unitscope.report.site.inert import slug

PHONE = {"width": 390, "height": 844}
CHARTS = {"index": 2, "concept": 1, "probes/upos": 1, "effects/loss-all": 1, "steering/tense": 1}


def address(site, kind):
    """A page of each type; the unit and the concept are ones with hostile names."""
    if kind == "unit":
        return max((site / "units").rglob("*.html"), key=lambda page: page.stat().st_size)
    if kind == "concept":
        pages = sorted((site / "concepts").glob("*.html"), key=lambda page: page.stat().st_size)
        named = [page for page in pages if "script" in page.name]
        return (named or pages)[-1]
    return site / f"{kind}.html"


KINDS = (
    "index", "units", "concepts", "unit", "concept", "rankings", "rankings/probeless", "probes", "probes/upos",
    "comparisons", "comparisons/vs-other", "comparisons/by-profile", "effects", "effects/loss-all",
    "effects/accuracy-bare", "attributions", "attributions/output-0", "steering", "steering/tense",
)  # fmt: skip


def ready(page, kind):
    """Wait until scripts have drawn what they draw."""
    page.wait_for_selector("#tools input")
    for at in range(CHARTS.get(kind, 0)):
        page.locator(".chart").nth(at).locator("svg, canvas").first.wait_for()
    if kind == "units":
        page.wait_for_selector("#units tbody tr[aria-rowindex]")


def overflow(page):
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_accessible(hostile_site, visit, kind, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = visit(address(hostile_site, kind), scheme=scheme)
    ready(page, kind)
    found = axe.run(page, options={"preload": False}).response["violations"]
    grave = [each for each in found if each["impact"] in ("serious", "critical")]
    assert not grave, json.dumps(
        [
            (each["id"], [node["html"][:200] for node in each["nodes"][:3]], each["nodes"][0]["failureSummary"])
            for each in grave
        ],
        indent=1,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_phone_shows_all_within_its_width(hostile_site, visit, kind):
    page = visit(address(hostile_site, kind), size=PHONE)
    ready(page, kind)
    assert overflow(page) <= 0
    if kind == "units":
        assert page.locator("#units tbody tr[aria-rowindex]").first.bounding_box()["height"] > 60


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_text_does_nothing(hostile_site, visit, kind):
    page = visit(address(hostile_site, kind))
    ready(page, kind)
    title = page.title()
    assert title.endswith("unitscope")
    assert "owned" not in title.replace("document.title='owned'", "")
    assert page.locator("main img, main svg[onload], main script:not([type='application/json'])").count() == 0


def test_direction_marks_reach_no_further_than_their_word(hostile_site, visit):
    page = visit(address(hostile_site, "unit"))
    ready(page, "unit")
    assert page.locator(".words", has_text="\u202e").count() > 0
    isolated = page.evaluate(
        "[...document.querySelectorAll('.words .t')].every(word => getComputedStyle(word).unicodeBidi === 'isolate')"
    )
    assert isolated


def test_dark_follows_the_system_and_the_reader(hostile_site, visit):
    page = visit(hostile_site / "index.html", scheme="dark")
    colour = "getComputedStyle(document.documentElement).backgroundColor"
    dark = page.evaluate(colour)
    assert max(map(int, re.findall(r"\d+", dark)[:3])) < 60
    page.keyboard.press("t")
    light = page.evaluate(colour)
    assert min(map(int, re.findall(r"\d+", light)[:3])) > 200
    page.goto((hostile_site / "units.html").as_uri())
    assert page.evaluate(colour) == light  # remembered from page to page
    ready(page, "units")


def test_heat_maps_tell_values_to_mouse_and_keys(hostile_site, visit):
    page = visit(address(hostile_site, "unit"))
    words = page.locator(".words").first
    words.focus()
    page.keyboard.press("ArrowRight")
    shown = page.locator("#tip")
    assert shown.is_visible()
    first = shown.inner_text()
    assert re.search(r"-?\d+(\.\d+)?(e-\d+)?$", first)
    at = page.locator(".t.at").first
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    assert shown.inner_text() == first
    page.keyboard.press("Escape")
    assert shown.is_hidden()
    at = words.locator(".t").nth(2)
    at.hover()
    assert shown.inner_text().endswith(at.get_attribute("data-value"))


def test_colours_and_values_are_those_of_the_atlas(hostile_site, visit):
    atlas = Atlas.open(hostile_site.parent / "atlas")
    path = address(hostile_site, "unit")
    layer = next(layer for layer in atlas.layers if slug(layer) == path.parent.name)
    record = atlas.unit(f"{layer}:{path.stem}")
    page = visit(path)
    clip = record.of_kind("top")[0]
    values = (
        page.locator("#top .clip")
        .first.locator(".t")
        .evaluate_all("all => all.map(each => [Number(each.dataset.value), each.className])")
    )
    assert [value for value, _ in values] == pytest.approx([float(f"{value:.3g}") for value in clip["values"]])
    for value, name in values:
        step = max(-9, min(9, round(9 * value / 3)))
        assert name.split()[1] in (
            {f"p{step}", f"p{step + 1}", f"p{step - 1}"}
            if step > 0
            else {f"n{-step}", f"n{-step + 1}", f"n{-step - 1}"}
            if step < 0
            else {"z", "p1", "n1"}
        )
    mark = page.locator("#top .clip").first.locator("mark")
    assert float(mark.get_attribute("data-value")) == pytest.approx(float(f"{clip['value']:.3g}"))


def test_kinds_of_clips_are_tabs_that_the_address_knows(hostile_site, visit):
    page = visit(address(hostile_site, "unit"))
    tabs = page.locator("[role=tab]")
    assert tabs.all_inner_texts()[2:] == ["Through its range", "At random", "Missed"]
    assert page.locator("[role=tabpanel]:visible").count() == 1
    tabs.nth(0).focus()
    page.keyboard.press("ArrowRight")
    assert tabs.nth(1).get_attribute("aria-selected") == "true"
    page.get_by_role("tab", name="At random").click()
    assert page.url.endswith("#random")
    page.reload()
    assert page.locator("#random").is_visible()
    assert page.locator("#top").is_hidden()


def test_j_and_k_turn_pages_and_slash_searches(hostile_site, visit):
    units = sorted((hostile_site / "units" / "encoder.layer.0").glob("*.html"), key=lambda page: int(page.stem))
    page = visit(units[1])
    page.keyboard.press("j")
    page.wait_for_url(units[2].as_uri())
    page.keyboard.press("k")
    page.wait_for_url(units[1].as_uri())
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#help").is_hidden()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "search"
    page.keyboard.type("tag4")
    page.locator("#hits [data-go]").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/concepts/*")
    assert page.locator("h1").inner_text() == "upos:TAG4"
    page.keyboard.press("g")
    page.keyboard.press("u")
    page.wait_for_url("**/units.html*")
    ready(page, "units")


def test_search_finds_units_by_address(hostile_site, visit):
    page = visit(hostile_site / "index.html")
    ready(page, "index")
    page.locator("#search").fill("layer.0 :7")
    page.locator("#hits [data-go]").first.wait_for()
    assert all(
        "layer.0" in text and ":7" in text for text in page.locator("#hits bdi:first-child").all_inner_texts()[::2][:2]
    )
    page.locator("#search").fill("no such thing")
    page.get_by_text("nothing found").wait_for()


def rows_of(page):
    return page.locator("#found").inner_text()


def test_the_table_filters_and_sorts_and_its_address_says_how(hostile_site, visit):
    atlas = Atlas.open(hostile_site.parent / "atlas")
    page = visit(hostile_site / "units.html")
    ready(page, "units")
    assert rows_of(page) == "36 of 36 units"
    page.locator("select[name=layer]").select_option("encoder.layer.0")
    assert rows_of(page) == "12 of 36 units"
    page.locator("select[name=kind]").select_option("lexical")
    wanted = [row for row in atlas.units("encoder.layer.0") if row["kind"] == "lexical"]
    assert rows_of(page) == f"{len(wanted)} of 36 units"
    page.locator("th[data-key=score] button").click()
    scores = [float(text) for text in page.locator("td.c-score b").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)
    assert scores == [round(row["score"], 2) for row in sorted(wanted, key=lambda row: -row["score"])]
    page.locator("th[data-key=score] button").click()
    assert [float(text) for text in page.locator("td.c-score b").all_inner_texts()] == scores[::-1]
    asked = urllib.parse.parse_qs(page.url.split("#")[1])
    assert asked == {"layer": ["encoder.layer.0"], "kind": ["lexical"], "sort": ["score"]}
    again = visit(hostile_site / "units.html", anchor=f"#{page.url.split('#')[1]}")
    ready(again, "units")
    assert [float(text) for text in again.locator("td.c-score b").all_inner_texts()] == scores[::-1]
    again.locator("input[name=min]").fill("0.8")
    assert rows_of(again) == f"{sum(row['score'] >= 0.8 for row in wanted)} of 36 units"
    again.locator("button[type=reset]").click()
    again.get_by_text("36 of 36 units").wait_for()
    again.locator("input[name=q]").fill("<SCRIPT>")
    found = atlas.sql("select count(*) as n from units where concept like '%<script>%' or context like '%<script>%'")[
        0
    ]["n"]
    assert rows_of(again) == f"{found} of 36 units"


def test_j_and_k_walk_through_the_table(hostile_site, visit):
    page = visit(hostile_site / "units.html")
    ready(page, "units")
    for _ in range(3):
        page.keyboard.press("j")
    page.keyboard.press("k")
    assert page.locator("tr.chosen").get_attribute("aria-rowindex") == "3"
    page.keyboard.press("Enter")
    page.wait_for_url("**/units/**")


def test_only_rows_in_sight_are_drawn(tmp_path, site_atlas, visit):
    from unitscope.report.site.export import export

    atlas = site_atlas.write(
        tmp_path / "atlas", layers=("a", "b"), width=6000, reported=2, n_items=4, hostile=False, baselines=()
    )
    export(atlas, tmp_path / "site")
    page = visit(tmp_path / "site" / "units.html")
    ready(page, "units")
    assert rows_of(page) == "12,000 of 12,000 units"
    assert page.locator("#units tbody tr").count() < 80
    took = page.evaluate(
        "() => { const started = performance.now(); document.querySelector('th[data-key=share] button').click();"
        " return performance.now() - started; }"
    )
    assert took < 1000
    page.keyboard.press("End")
    page.locator('#units tbody tr[aria-rowindex="12001"]').wait_for()
    assert page.locator("#units tbody tr").count() < 80


def test_concepts_sort_by_their_columns(hostile_site, visit):
    page = visit(hostile_site / "concepts.html")
    head = page.locator("th:nth-child(3) button")
    cells = page.locator("tbody tr td:nth-child(3)")
    head.click()
    numbers = [int(text) for text in cells.all_inner_texts()]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) > 1
    head.click()
    assert [int(text) for text in cells.all_inner_texts()] == sorted(numbers)


def test_images_have_their_regions_outlined(image_site, visit):
    page = visit(address(image_site, "unit"))
    images = page.locator("#top .image")
    assert images.count() == 12
    page.goto(f"{page.url}#top")
    page.locator("#top img").first.scroll_into_view_if_needed()
    page.wait_for_function("() => document.querySelector('#top img').naturalWidth > 0")
    assert "cells beyond the threshold" in page.locator("#top img").first.get_attribute("alt")
    assert page.locator("#top .edge").first.get_attribute("d").startswith("M")
    assert overflow(page) <= 0


def test_pages_can_be_read_without_scripts(hostile_site, visit):
    page = visit(address(hostile_site, "unit"), scripts=False)
    assert page.locator(".words mark").first.is_visible()
    assert page.locator(".strip").first.is_visible()
    assert page.locator(".tab").nth(3).is_visible()
    page = visit(hostile_site / "index.html", scripts=False)
    assert page.locator("noscript svg").count() == 1


def test_a_page_that_lost_its_data_says_so(tmp_path, hostile_site, browser):
    import shutil

    shutil.copytree(hostile_site, tmp_path / "site")
    (tmp_path / "site" / "assets" / "units.js").unlink()
    page = browser.new_context(offline=True).new_page()
    page.goto((tmp_path / "site" / "units.html").as_uri())
    assert page.locator("#found").inner_text() == "Loading …"
    page.context.close()


def test_results_are_reached_by_keys_and_by_their_links(hostile_site, image_site, visit):
    page = visit(hostile_site / "index.html")
    ready(page, "index")
    for key, kind in (
        ("r", "rankings"),
        ("p", "probes"),
        ("e", "effects"),
        ("a", "attributions"),
        ("s", "steering"),
        ("m", "comparisons"),
    ):
        page.keyboard.press("g")
        page.keyboard.press(key)
        page.wait_for_url(f"**/{kind}.html")
        page.wait_for_selector("#tools input")
        assert page.locator(".top nav a[aria-current]").inner_text().lower() == kind
    page.locator("tbody a").first.click()
    page.wait_for_url("**/comparisons/*.html")
    page.keyboard.press("?")
    assert "g m" in page.locator("#help dt").filter(has_text="m").last.inner_text().replace("\n", " ") or page.locator(
        "#help"
    ).inner_text().count("comparisons")
    other = visit(image_site / "index.html")
    ready(other, "index")
    assert other.locator(".top nav a").count() == 3
    assert "comparisons" not in other.locator("#help").inner_text()


def test_targets_of_a_ranking_are_tabs(hostile_site, visit):
    page = visit(hostile_site / "rankings" / "probeless.html", anchor="#target-3")
    page.wait_for_selector("[role=tablist]")
    assert page.locator("[role=tablist]").get_attribute("aria-label") == "Targets"
    assert page.locator("[role=tabpanel]:visible").count() == 1
    assert page.locator("#target-3").is_visible()
    page.locator("[role=tab]").nth(0).click()
    ranks = page.locator("#target-0 tbody tr td:first-child").all_inner_texts()
    assert ranks[:10] == [str(rank) for rank in range(1, 11)]


def test_the_curve_is_drawn_with_its_table_and_without_scripts(hostile_site, visit):
    page = visit(hostile_site / "probes" / "upos.html")
    ready(page, "probes/upos")
    text = page.locator(".chart svg").text_content()
    for told in ("top", "random", "bottom", "retrain", "mask"):
        assert told in text
    page.locator("details summary").click()
    assert page.locator("details table").count() == 2
    narrow = visit(hostile_site / "probes" / "upos.html", size=PHONE)
    ready(narrow, "probes/upos")
    drawn = narrow.locator(".chart svg").bounding_box()
    assert drawn["height"] > drawn["width"]  # its panels stand on top of one another
    plain = visit(hostile_site / "probes" / "upos.html", scripts=False)
    assert plain.locator("noscript svg").count() == 1


def test_movers_sort_by_their_columns(hostile_site, visit):
    page = visit(hostile_site / "comparisons" / "vs-other.html")
    page.wait_for_selector("#tools input")
    table = page.locator("table.movers").first
    table.locator("th:nth-child(4) button").click()
    values = [float(text.split()[0]) for text in table.locator("td:nth-child(4)").all_inner_texts() if text[0] != "–"]
    assert values == sorted(values, reverse=True)
    assert len(set(values)) > 3


def test_curves_of_effects_are_drawn_with_their_table_and_without_scripts(hostile_site, visit):
    page = visit(hostile_site / "effects" / "loss-all.html")
    ready(page, "effects/loss-all")
    text = page.locator(".chart svg").text_content()
    for told in ("top", "random", "bottom", "taken out", "kept, all others", "loss", "units"):
        assert told in text
    page.locator("section:has(#curve) details summary").first.click()
    assert page.locator("section:has(#curve) details table").count() == 2
    plain = visit(hostile_site / "effects" / "loss-all.html", scripts=False)
    assert plain.locator("noscript svg").count() == 1
    assert plain.locator("svg.dose").count() == 3


def test_single_units_sort_by_their_effect_and_its_sign(hostile_site, visit):
    page = visit(hostile_site / "effects" / "loss-all.html")
    ready(page, "effects/loss-all")
    table = page.locator("section:has(#units) table")
    cells = table.locator("tbody td:nth-child(4)")
    table.locator("th:nth-child(4) button").click()
    values = [float(text) for text in cells.all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0 > values[-1]
    table.locator("th:nth-child(4) button").click()
    assert [float(text) for text in cells.all_inner_texts()] == values[::-1]


def test_what_a_unit_does_can_be_read_without_scripts(hostile_site, visit):
    path = address(hostile_site, "unit")
    page = visit(path, scripts=False, size=PHONE)
    section = page.locator("section.does")
    assert section.locator("svg.dose").is_visible()
    assert "over the unit's quantiles" in section.locator("svg.dose").get_attribute("aria-label")
    assert "Taking it out changes the loss" in page.locator(".lede").inner_text()


def test_maps_of_attribution_are_numbers_that_keys_reach(hostile_site, visit):
    page = visit(hostile_site / "attributions" / "output-0.html", size=PHONE)
    page.wait_for_selector("#tools input")
    box = page.locator(".map [role=region]").first
    box.focus()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    texts = page.locator(".map").first.locator("tbody td").all_inner_texts()
    assert len(texts) == 24
    assert all(re.fullmatch(r"[+-][\d.e-]+|0", text) for text in texts)
    colours = (
        page.locator(".map")
        .first.locator("tbody td")
        .evaluate_all(
            "all => all.map(each => [each.classList.contains('neg'), getComputedStyle(each).textDecorationLine])"
        )
    )
    assert all(("underline" in line) == below for below, line in colours)  # sign by more than colour


def test_changed_words_are_marked_by_more_than_colour(hostile_site, visit):
    page = visit(hostile_site / "steering" / "tense.html")
    ready(page, "steering/tense")
    assert page.locator("del").first.evaluate("each => getComputedStyle(each).textDecorationLine") == "line-through"
    assert page.locator("ins").first.evaluate("each => getComputedStyle(each).textDecorationLine") == "underline"
    assert page.locator("del", has_text="onerror").count() == 1
