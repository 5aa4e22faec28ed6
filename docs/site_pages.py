"""A hook of MkDocs: pages that live outside of docs/ become pages of the site, with their links.

README.md is the front page. Links are written for the repository, where they work too; here those from and to these
files are turned into links of the site.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "LICENSE": "LICENSE.txt",
}
"""Files by their path in the repository, with that in the site."""
LINK = re.compile(r"(!?\[[^\]\[]*\])\(([^)\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add what lies outside of docs/."""
    from mkdocs.structure.files import File

    for source, page in OUTSIDE.items():
        files.append(File.generated(config, page, content=(ROOT / source).read_text(encoding="utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Turn links of the repository into links of the site."""
    here = page.file.src_uri
    source = next((source for source, name in OUTSIDE.items() if name == here), f"docs/{here}")
    return LINK.sub(lambda match: f"{match[1]}({in_site(match[2], source, here)})", markdown)


def in_site(link: str, source: str, page: str) -> str:
    """A link in a file of the repository, as it must be on its page; links out of the site and within it stay."""
    path, mark, anchor = link.partition("#")
    if not path or re.match(r"[a-z]+:", link):
        return link
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    target = OUTSIDE.get(target, target.removeprefix("docs/"))
    return posixpath.relpath(target, posixpath.dirname(page) or ".") + mark + anchor
