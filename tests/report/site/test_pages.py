import json
import re
from pathlib import Path

import pytest

from unitscope.atlas import Atlas
from unitscope.errors import StoreError
from unitscope.report import plain
from unitscope.report.site import charts, concept_view, drawings, overview_view, pages, unit_view
from unitscope.report.site.data import SiteData
from unitscope.report.site.wording import words_of


@pytest.fixture(scope="module")
def data(tiny_atlas: Path) -> SiteData:
    return SiteData(Atlas.open(tiny_atlas))


def test_a_view_of_a_unit_is_what_the_atlas_says(data: SiteData) -> None:
    key = data.reported[5]
    view = unit_view.unit_view(data, key)
    record = data.atlas.unit(view["address"])
    assert view["row"] == record.row
    assert [*view["matches"], *view["others"]] == sorted(
        record.matches, key=lambda row: (row["measure"] != "auroc", row["slot"], row["measure"])
    )
    shown = [clip for group in view["clips"] for part in group["parts"] for clip in part["clips"]]
    assert len(shown) == len(record.clips)
    assert view["previous"] == data.reported[4]
    assert view["next"] == data.reported[6]
    assert sum(view["density"]["counts"]) > 0
    assert unit_view.unit_view(data, data.reported[0])["previous"] is None
    assert unit_view.unit_view(data, data.reported[-1])["next"] is None


def test_every_number_of_a_match_stands_on_the_page(data: SiteData) -> None:
    for key in data.reported[::17]:
        text = pages.unit_page(data, key)
        for match in data.auroc(key):
            for told in (plain.effect(match["score"]), plain.effect(match["a_auroc"]), plain.count(match["n"])):
                assert told in text
            if match["low"] is not None:
                assert plain.interval(match["low"], match["high"]) in text
            for name in ("within_form", "within_form_position", "untrained_p99"):
                if match[name] is not None:
                    assert plain.effect(match[name]) in text
        for match in data.matches[key]:
            if match["measure"] != "auroc":
                assert plain.number(match["ceiling"]) in text


def test_pages_refuse_what_is_not_there(data: SiteData) -> None:
    with pytest.raises(StoreError, match="not in this atlas"):
        pages.unit_page(data, (data.layers[0].address, 10_000))
    with pytest.raises(StoreError, match=r"not in this atlas.*upos:NOUN"):
        pages.concept_page(data, "upos:NOUNS")


def test_a_concept_s_profile_counts_its_matches(data: SiteData) -> None:
    name = max(data.by_concept, key=lambda name: len(data.by_concept[name]))
    view = concept_view.concept_view(data, name)
    for row in view["profile"]:
        assert row["units"] == len(data.atlas.matches(layer=row["layer"], concept=name)) == sum(row["kinds"].values())
        for variant, n in row["baselines"].items():
            table = data.atlas.table(f"baselines/{variant}.matches").to_pylist()
            key = (row["layer"], name, "auroc")
            assert n == sum((each["layer"], each["concept"], each["measure"]) == key for each in table)


def test_agreement_is_spearman_s_correlation_and_the_first_twenty(data: SiteData) -> None:
    import numpy as np
    from scipy.stats import spearmanr

    found = concept_view.agreements(data)["source:upos:NOUN"]
    assert found.measures == tuple(data.manifest["measures"])
    column = data.atlas.concept_names(data.layers[0].address).index("upos:NOUN")
    scores = np.array(
        [
            np.concatenate([data.atlas.scores(key, layer)[:, column] for layer in data.atlas.layers])
            for key in found.measures
        ]
    )
    scores = scores[:, ~np.isnan(scores).all(axis=0)]
    assert found.n_units == scores.shape[1]
    for i in range(len(scores)):
        for j in range(len(scores)):
            expected = spearmanr(np.nan_to_num(scores[i], nan=-9e9), np.nan_to_num(scores[j], nan=-9e9)).statistic
            assert found.correlation[i, j] == pytest.approx(expected, abs=1e-9)
    assert np.allclose(np.diag(found.overlap), 1)
    assert np.array_equal(found.overlap, found.overlap.T)


def test_the_table_of_units_is_the_units_table(data: SiteData) -> None:
    table = overview_view.unit_table(data)
    assert sum(table["sizes"]) == len(data.units) == len(table["columns"]["unit"])
    for at, (key, row) in enumerate(data.units.items()):
        assert table["columns"]["unit"][at] == key[1]
        kind = table["columns"]["kind"][at]
        assert (None if kind is None else table["kinds"][kind]) == row["kind"]
        score = table["columns"]["score"][at]
        assert (score is None) == (row["score"] is None)
        assert score is None or abs(score / 1000 - row["score"]) <= 0.0005
    json.dumps(table, allow_nan=False)


def test_the_overview_counts_every_unit_once(data: SiteData) -> None:
    view = overview_view.overview_view(data)
    for layer in view["layers"]:
        for variant in layer["variants"]:
            assert sum(n for _, n in variant["parts"]) == variant["units"]
    findings = view["findings"]
    assert len({each["match"]["concept"] for each in findings}) == len(findings) > 0
    contextual = [each["match"]["kind"] == "contextual" for each in findings]
    assert contextual == sorted(contextual, reverse=True)


def test_caveats_say_what_was_not_run(site_atlas, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    without = overview_view.caveats(SiteData(site_atlas.write(tmp_path / "a", layers=("a",), baselines=())))
    assert any(said.startswith("No untrained copy was run") for said in without)
    assert any(said.startswith("No rotated basis was run") for said in without)
    assert any("only 3 groups. Blocks are runs" in said for said in without)
    both = overview_view.caveats(SiteData(site_atlas.write(tmp_path / "b", layers=("a",))))
    assert not any("was run:" in said for said in both)


def test_ledes_are_no_stronger_than_the_match() -> None:
    words = words_of("source")
    match = {"sign": 1, "concept": "upos:X", "score": 0.9, "low": 0.85, "high": 0.93, "kind": "contextual"}
    match |= {"within_form_position": 0.8, "untrained_p99": 0.7}
    row = {"context": None}
    told = unit_view.lede(row, match, words)
    assert told[0].endswith("with an AUROC of .90 [.85, .93].")
    assert (
        told[1]
        == "Among the same words at like positions .80 is left, more than the word itself or the place explains."
    )
    lexical = {**match, "kind": "lexical"}
    assert unit_view.lede(row, lexical, words)[1].endswith(".80 is left: the word itself may be all it knows.")
    below = unit_view.lede(row, {**lexical, "within_form_position": 0.6}, words)[1]
    assert "best percent of units reaches .70, so the word itself may be all it knows" in below
    unknown = unit_view.lede(row, {**lexical, "within_form_position": None}, words)[1]
    assert "cannot be told: the word itself may be all it knows" in unknown
    assert unit_view.lede({"context": "upos:Y"}, lexical, words)[-1] == "Beyond that it also tells upos:Y."
    assert unit_view.lede(row, None, words) == ["No concept is reported for this unit."]
    rare = unit_view.lede({**row, "cover_1": 0.04}, lexical, words)[1]
    assert rare == "But of the sites where it is strongest, only 4.0 % have the concept."
    assert unit_view.lede({**row, "cover_1": 0.4}, lexical, words) == unit_view.lede(row, lexical, words)
    assert ": on held-out images it tells" in unit_view.lede(row, lexical, words_of("image"))[0]
    image = unit_view.lede(row, lexical, words_of("image"))[1]
    assert image == "Among cells of like appearance at like places .80 is left: appearance may be all it knows."


def test_drawings_tell_in_words_what_they_show() -> None:
    drawn = drawings.strip(0.2, 0.1, 0.6, bar=0.7)
    assert 'aria-label=".20; interval .10 to .60; chance .50; untrained copy .70"' in drawn
    assert 'd="M0.0 9l7 -5v10z"' in drawn  # left of the scale: an arrow at its edge
    assert "nan" not in drawings.strip(float("nan"), None, None, bar=float("nan"))
    row = {"counts": [5, 0, 3], "low": -1.0, "high": 2.0}
    unit = {"threshold_upper": 1.0, "threshold_lower": -0.9}
    histogram = drawings.density(row, unit)
    assert "Histogram of 8 values from -1 to 2" in histogram
    assert len(re.findall("Z", histogram)) == 2
    assert drawings.between(0.3, 0.1, 0.8) != ""
    assert drawings.between(None, 0.1, 0.8) == ""


def test_charts_take_their_colours_from_the_page() -> None:
    scatter = charts.scatter(["contextual", "lexical"], words_of("source"))
    text = json.dumps(scatter)
    assert "var(--contextual)" in text
    assert not re.search(r"#[0-9a-f]{6}", text)
    assert "https://" not in text
    profile = [{"layer": "a", "kinds": {"lexical": 2}, "baselines": {}}]
    first = charts.profile(profile, ["lexical"])
    assert len(first["layer"]) == 1
    assert len(charts.profile([{**profile[0], "baselines": {"untrained": 1}}], ["lexical"])["layer"]) == 2
    assert first["layer"][0]["data"]["values"] == [{"layer": "a", "kind": "lexical", "units": 2, "order": 0}]
