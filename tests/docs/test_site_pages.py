import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="module")
def pages():
    spec = importlib.util.spec_from_file_location("site_pages", ROOT / "docs" / "site_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("link", "source", "page", "expected"),
    [
        ("docs/how-to/bases.md", "README.md", "index.md", "how-to/bases.md"),
        ("docs/images/site.png", "README.md", "index.md", "images/site.png"),
        ("CONTRIBUTING.md#a-measure", "README.md", "index.md", "contributing.md#a-measure"),
        ("LICENSE", "README.md", "index.md", "LICENSE.txt"),
        ("../../CONTRIBUTING.md#a-measure", "docs/how-to/a.md", "how-to/a.md", "../contributing.md#a-measure"),
        ("../../benchmarks/README.md", "docs/how-to/a.md", "how-to/a.md", "../benchmarks.md"),
        ("../contest.md", "docs/how-to/a.md", "how-to/a.md", "../contest.md"),
        ("#here", "docs/how-to/a.md", "how-to/a.md", "#here"),
        ("https://spacy.io", "docs/how-to/a.md", "how-to/a.md", "https://spacy.io"),
    ],
)
def test_links_of_the_repository_become_links_of_the_site(pages, link, source, page, expected):
    assert pages.in_site(link, source, page) == expected


def test_the_site_builds_without_a_warning_and_asks_no_network(tmp_path):
    commands = pytest.importorskip("mkdocs.commands.build")
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path), strict=True)
    commands.build(config)
    front = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "unitscope shows" in front
    assert 'href="how-to/bases.html"' in front
    assert 'href="contributing.html"' in front
    for page in tmp_path.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert '<script src="http' not in text
        assert '<link href="http' not in text
