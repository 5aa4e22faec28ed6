"""Take the pictures of an exported site that the docs show: the overview and a unit's page, in real Chromium.

Usage: docs/figures/site.py SITE [--unit LAYER/INDEX]   (SITE is a folder made by `unitscope export`)
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image, ImageOps
from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "images"
WIDTH, HEIGHT = 1240, 860


def shot(page: Page, path: Path, height: int, ready: str) -> Image.Image:
    """One page as it looks when it is drawn."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(path.resolve().as_uri())
    page.locator(ready).first.wait_for(state="attached")
    return Image.open(io.BytesIO(page.screenshot())).convert("RGB")


def best_unit(page: Page, site: Path) -> Path:
    """The page of the second finding on the overview, which shows more in one picture."""
    page.goto((site / "index.html").resolve().as_uri())
    return site / str(page.locator(".card a.unit").nth(1).get_attribute("href"))


def main() -> int:
    """Write `site.png` and `site-unit.png`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("site", type=Path)
    parser.add_argument("--unit", metavar="LAYER/INDEX", help="the unit shown; that of a finding, unless named")
    parser.add_argument("--out", type=Path, default=IMAGES)
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(offline=True, reduced_motion="reduce").new_page()
        named = arguments.site / "units" / f"{arguments.unit}.html"
        unit = named if arguments.unit else best_unit(page, arguments.site)
        pictures = {
            "site.png": shot(page, arguments.site / "index.html", HEIGHT + 270, ".chart canvas"),
            "site-unit.png": shot(page, unit, HEIGHT, ".words .t"),
        }
        browser.close()
    for name, picture in pictures.items():
        framed = ImageOps.expand(picture, 1, "#d8d5cc")
        framed.save(arguments.out / name, optimize=True)
        print(arguments.out / name, (arguments.out / name).stat().st_size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
