import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from unitscope.atlas import Atlas
from unitscope.errors import StoreError
from unitscope.report import notebook

VOID = {"br", "img", "input", "meta", "link"}


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> Tags:
    found = Tags()
    found.feed(html)
    found.close()
    assert found.open == []
    assert "script" not in found.seen
    assert not re.search(r"url\(|@import", notebook.styles())
    return found


@pytest.fixture(scope="module")
def atlas(hostile_site: Path) -> Atlas:
    return Atlas.open(hostile_site.parent / "atlas")


def test_an_atlas_shows_its_layers_beside_the_baselines(atlas: Atlas) -> None:
    text = " ".join(read(atlas._repr_html_()).text)
    assert "made-up <b>model</b>" in text
    for layer in atlas.layers:
        assert layer in text
    assert text.count("untrained") == text.count("rotation") == len(atlas.layers)


def test_a_unit_shows_its_concepts_with_controls_and_its_clips(atlas: Atlas) -> None:
    record = atlas.unit("encoder.layer.0:3")
    html = record._repr_html_()
    text = " ".join(read(html).text)
    for match in record.matches:
        if match["measure"] == "auroc":
            assert match["concept"].split("<")[0] in text
    falls = record.matches[0]["sign"] < 0
    shown = record.of_kind("low" if falls else "top")[: notebook.SHOWN_CLIPS]
    assert html.count('<li class="clip">') == len(shown) == notebook.SHOWN_CLIPS
    assert 'class="p' in html
    assert 'class="n' in html


def test_a_unit_without_report_says_so(tmp_path: Path, site_atlas) -> None:  # type: ignore[no-untyped-def]
    atlas = site_atlas.write(tmp_path / "atlas", layers=("a",), width=3, reported=0, optional=False)
    assert "No concept is reported." in atlas.unit("a:1")._repr_html_()
    read(atlas._repr_html_())


def test_a_concept_shows_the_units_that_carry_it(atlas: Atlas) -> None:
    record = atlas.concept("upos:TAG2")
    text = " ".join(read(record._repr_html_()).text)
    strongest = record.matches[0]
    assert f"{strongest['layer']}:{strongest['unit']}" in text
    assert f"{len(record.matches)} units reported" in text
    with pytest.raises(StoreError, match="not in this atlas"):
        atlas.concept("upos:NONE")


def test_clips_show_themselves_with_their_unit_s_colours(atlas: Atlas) -> None:
    clips = atlas.unit("encoder.layer.0:3").of_kind("band")
    assert len(clips) == 12
    assert clips == tuple(clips)
    html = clips._repr_html_()
    read(html)
    assert html.count('<li class="clip">') == 12


def test_styles_touch_nothing_outside(atlas: Atlas) -> None:
    sheet = notebook.styles()
    depth, top = 0, ""
    for character in sheet:
        if character == "{":
            depth += 1
        if depth == 0:
            top += character
        if character == "}":
            depth -= 1
            assert depth >= 0
    assert depth == 0
    heads = [head.strip(" }\n") for head in re.split(r"\}", top) if head.strip(" }\n")]
    assert all(".unitscope" in head or head.startswith("@media") for head in heads)
    assert "--contextual" in sheet
