import json
import os
import re
from pathlib import Path
from urllib.parse import unquote

import pytest
from typer.testing import CliRunner

from unitscope.atlas import Atlas
from unitscope.cli import app
from unitscope.errors import StoreError
from unitscope.report.site import export as exporting
from unitscope.report.site.export import export


def pages(site: Path) -> list[Path]:
    return sorted(site.rglob("*.html"))


def test_every_reported_unit_and_every_concept_has_a_page(hostile_site: Path) -> None:
    atlas = Atlas.open(hostile_site.parent / "atlas")
    reported = atlas.sql("select count(*) as n from units where n_matches > 0")[0]["n"]
    assert len(list((hostile_site / "units").rglob("*.html"))) == reported > 30
    assert len(list((hostile_site / "concepts").glob("*.html"))) == len({row["concept"] for row in atlas.concepts()})


def test_every_link_leads_to_a_file(hostile_site: Path, image_site: Path) -> None:
    for site in (hostile_site, image_site):
        seen = set()
        for page in pages(site):
            text = page.read_text(encoding="utf-8")
            for link in re.findall(
                r'(?:href|src)="([^"#]*)(?:#[^"]*)?"', re.sub(r"<p class=\"words\".*?</p>", "", text)
            ):
                if not link:
                    continue  # a place on the same page
                place = (page.parent / unquote(link)).resolve()
                assert place.is_file(), (page, link)
                assert site.resolve() in place.parents
                seen.add(place.suffix)
        assert {".html", ".css", ".js", ".svg"} <= seen


def test_nothing_of_the_corpus_is_markup(hostile_site: Path) -> None:
    for page in pages(hostile_site):
        text = page.read_text(encoding="utf-8")
        assert "\0" not in text
        assert "<script>document" not in text
        assert "onerror=alert(1)>" not in text.replace("onerror=alert(1)&gt;", "")
        scripts = re.findall(r"<script[^>]*>", text)
        assert all("src=" in script or "application/json" in script for script in scripts)
        for data in re.findall(r'<script type="application/json">(.*?)</script>', text, re.S):
            json.loads(data)
    table = (hostile_site / "assets" / "units.js").read_text(encoding="ascii")
    assert "<" not in table


def test_a_site_of_ours_is_replaced_and_nothing_else_is_touched(tmp_path: Path, hostile_site: Path) -> None:
    atlas = Atlas.open(hostile_site.parent / "atlas")
    done = export(atlas, tmp_path / "new" / "site")
    assert done.files == sum(path.is_file() for path in (tmp_path / "new" / "site").rglob("*"))
    (tmp_path / "new" / "site" / "old.html").write_text("old")
    export(atlas, tmp_path / "new" / "site")
    assert not (tmp_path / "new" / "site" / "old.html").exists()
    assert os.listdir(tmp_path / "new") == ["site"]
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    with pytest.raises(StoreError, match="exists and is no site"):
        export(atlas, foreign)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreError, match="exists and is no site"):
        export(atlas, tmp_path / "file")
    (tmp_path / "link").symlink_to(tmp_path / "new" / "site")
    with pytest.raises(StoreError, match="exists and is no site"):
        export(atlas, tmp_path / "link")
    assert (foreign / "thesis.txt").read_text() == "years of work"
    assert sorted(os.listdir(tmp_path)) == ["file", "foreign", "link", "new"]


def test_an_atlas_is_not_written_into(hostile_site: Path) -> None:
    atlas = Atlas.open(hostile_site.parent / "atlas")
    for place in (atlas.path, atlas.path / "site"):
        with pytest.raises(StoreError, match="the atlas itself, or in it"):
            export(atlas, place)
    atlas.verify()


def test_the_same_atlas_gives_the_same_bytes(tmp_path: Path, hostile_site: Path) -> None:
    export(Atlas.open(hostile_site.parent / "atlas"), tmp_path / "again")
    for page in hostile_site.rglob("*"):
        if page.is_file():
            assert (tmp_path / "again" / page.relative_to(hostile_site)).read_bytes() == page.read_bytes(), page


def test_a_failure_leaves_what_was_there(tmp_path: Path, hostile_site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    atlas = Atlas.open(hostile_site.parent / "atlas")
    export(atlas, tmp_path / "site")
    before = (tmp_path / "site" / "index.html").read_bytes()

    def full(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_text", full)
    with pytest.raises(StoreError, match="No space left to write 'site'"):
        export(atlas, tmp_path / "site")
    assert (tmp_path / "site" / "index.html").read_bytes() == before
    assert os.listdir(tmp_path) == ["site"]


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").exists(), reason="root writes anywhere")
def test_an_output_that_cannot_be_written_is_told(hostile_site: Path) -> None:
    place = Path("/proc/nowhere/site")
    if not Path("/proc").exists():
        pytest.skip("no folder that bars everyone here")
    result = CliRunner().invoke(app, ["export", str(hostile_site.parent / "atlas"), str(place)])
    assert result.exit_code == 2
    assert "Cannot write 'site'" in result.stderr or "Cannot write" in result.stderr


def test_the_command_tells_where_to_look(tmp_path: Path, hostile_site: Path) -> None:
    atlas = str(hostile_site.parent / "atlas")
    result = CliRunner().invoke(app, ["export", atlas, str(tmp_path / "site")])
    assert result.exit_code == 0, result.stderr
    assert f"open: {tmp_path / 'site' / 'index.html'}" in result.stdout
    result = CliRunner().invoke(app, ["export", atlas, str(tmp_path / "site"), "--json"])
    told = json.loads(result.stdout)
    assert told["index"] == str(tmp_path / "site" / "index.html")
    assert told["bytes"] > 1_000_000
    assert CliRunner().invoke(app, ["export", str(tmp_path), str(tmp_path / "other")]).exit_code == 2


def test_images_are_copied_and_none_from_elsewhere(tmp_path: Path, image_site: Path, site_atlas) -> None:
    assert len(list((image_site / "images").iterdir())) == 40
    import pyarrow as pa
    from pyarrow import parquet

    from unitscope.store import sha256_of, write_json

    atlas = site_atlas.write(tmp_path / "atlas", images=True, layers=("a",), baselines=(), n_items=3)
    items = parquet.read_table(atlas.path / "items.parquet")
    bad = items.set_column(items.column_names.index("image"), "image", pa.array(["../../secret.png"] * 3))
    parquet.write_table(bad, atlas.path / "items.parquet")
    (tmp_path.parent / "secret.png").write_bytes(b"x")
    sums = json.loads((atlas.path / "checksums.json").read_text())
    write_json(atlas.path / "checksums.json", {**sums, "items.parquet": sha256_of(atlas.path / "items.parquet")})
    with pytest.raises(StoreError, match="lies outside its folder"):
        export(Atlas.open(atlas.path), tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_optional_tables_may_be_absent(tmp_path: Path, site_atlas) -> None:
    atlas = site_atlas.write(tmp_path / "atlas", layers=("a",), width=4, optional=False, baselines=())
    done = export(atlas, tmp_path / "site")
    text = next((tmp_path / "site" / "units").rglob("*.html")).read_text(encoding="utf-8")
    assert done.units == 4
    for name in ("What it writes", "How far it carries", "Formula", 'class="density"'):
        assert name not in text


def test_an_atlas_without_any_report_has_a_site(tmp_path: Path, site_atlas) -> None:
    atlas = site_atlas.write(tmp_path / "atlas", layers=("a",), width=4, reported=0)
    done = export(atlas, tmp_path / "site")
    assert done.units == 0
    assert (tmp_path / "site" / "units.html").is_file()
