import importlib.util
import sys
from pathlib import Path

import pytest

from unitscope.atlas import Atlas

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("minilm_ewt", ROOT / "docs" / "figures" / "minilm_ewt.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_table_of_the_page_is_filled_and_nothing_else_changes(figures, tiny_atlas):
    page = (ROOT / "docs" / "minilm-ewt.md").read_text(encoding="utf-8")
    done = figures.filled(page, Atlas.open(tiny_atlas))
    assert {match["name"] for match in figures.TABLE.finditer(page)} == set(figures.TABLES)
    assert "To be filled in" not in done
    assert figures.filled(done, Atlas.open(tiny_atlas)) == done
    assert figures.TABLE.sub("", done) == figures.TABLE.sub("", page)


def test_shares_are_those_of_the_atlas(figures, tiny_atlas):
    atlas = Atlas.open(tiny_atlas)
    rows = [line.split(" | ") for line in figures.kinds(atlas).splitlines()[2:]]
    assert [row[0].strip("| `") for row in rows] == atlas.layers
    for row in rows:
        counts = atlas.summary["trained"][row[0].strip("| `")]
        assert row[1] == str(counts["units"])
        assert row[2] == str(counts["reported"])
        assert float(row[4].split(" %")[0]) == pytest.approx(100 * counts["lexical"] / counts["units"], abs=0.51)


def test_bars_in_cells_are_escaped(figures):
    assert figures.markdown(["a", "b"], [["x|y", "1"]]).splitlines()[2] == "| x\\|y | 1 |"


def test_an_atlas_without_baselines_is_refused(figures, tiny_model, tiny_corpus, tmp_path, monkeypatch, capsys):
    import unitscope

    unitscope.map(str(tiny_model), str(tiny_corpus), out=tmp_path / "bare", layers=["encoder.layer.0"], workers=1)
    monkeypatch.setattr(sys, "argv", ["minilm_ewt.py", str(tmp_path / "bare"), "--page", str(tmp_path / "page.md")])
    assert figures.main() == 2
    assert "lacks the baseline rotation, untrained" in capsys.readouterr().err
