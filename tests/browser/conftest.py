"""A real browser without a network: Chromium opens exported sites from disk."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Chromium; tests are skipped where it or Playwright is not installed."""
    api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser) -> Iterator[Callable]:
    """Open a file of a site in a fresh context, offline; at the end no error may have been told by the page."""
    told: list[str] = []
    contexts = []

    def failed(request) -> None:
        # Going to another page aborts what is still on its way, such as the icon; a missing file fails otherwise.
        if request.failure != "net::ERR_ABORTED":
            told.append(f"failed: {request.url}: {request.failure}")

    def opened(path: Path | str, *, size=DESK, scheme: str = "light", scripts: bool = True, anchor: str = ""):
        context = browser.new_context(
            offline=True, viewport=size, color_scheme=scheme, java_script_enabled=scripts, reduced_motion="reduce"
        )
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: told.append(str(error)))
        page.on("dialog", lambda dialog: told.append(f"dialog: {dialog.message}"))
        page.on("requestfailed", failed)
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith(("file:", "data:", "blob:")) else told.append(f"asked for {request.url}")
            ),
        )
        page.goto(f"{Path(path).as_uri()}{anchor}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert told == []
