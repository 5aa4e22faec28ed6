import importlib.util
import json
from pathlib import Path

import pytest

from unitscope.contest import ARMS

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def figures():
    spec = importlib.util.spec_from_file_location("contest_figures", ROOT / "docs" / "figures" / "contest.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    rows = [
        {"arm": arm, "form": form, "figure": "contextual", "value": 0.25, "low": 0.125, "high": None, "each": []}
        for arm in ARMS
        for form in ("dense", "sparse")
    ]
    about = {"units": 256, "layer": "h.3", "seeds": 5, "latents": 1536, "k": 32}
    made = tmp_path / "contest-hidden"
    (made / "autoencoders" / "a").mkdir(parents=True)
    (made / "contest.json").write_text(json.dumps({"contest": about, "figures": rows}))
    (made / "autoencoders" / "a" / "cfg.json").write_text(json.dumps({"meta": {"unexplained": 0.5}}))
    return made


def test_the_table_of_the_page_is_filled_and_nothing_else_changes(figures, folder):
    page = (ROOT / "docs" / "contest.md").read_text(encoding="utf-8")
    done = figures.filled(page, folder)
    assert figures.filled(done, folder) == done
    before, _, rest = page.partition("<!-- begin table: contest-hidden -->")
    assert done.startswith(before)
    assert done.endswith(rest.partition("<!-- end table -->")[2])
    assert "| neurons | dense | 25 % [" in done
    assert "256 units of `h.3`, 5 seeds; autoencoders of 1,536 latents, 32 on at a word, leave 50 % of the" in done


def test_a_folder_the_page_has_no_table_for(figures, folder):
    with pytest.raises(KeyError):
        figures.filled("nothing", folder)


def test_the_page_as_it_is_holds_figures(figures):
    page = (ROOT / "docs" / "contest.md").read_text(encoding="utf-8")
    assert page.count("| sparse |") == len(ARMS)
