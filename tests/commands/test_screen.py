import json
import math

import pytest
from rich.console import Console

from unitscope.commands import screen
from unitscope.study.plan import Plan


def test_json_has_null_for_nan_and_is_ascii(capsys: pytest.CaptureFixture[str]) -> None:
    screen.write_json({"a": [math.nan, 1.5], "word": "naïve\u202e\x1b"})
    out = capsys.readouterr().out
    assert out.isascii()
    assert json.loads(out) == {"a": [None, 1.5], "word": "naïve\u202e\x1b"}
    assert "\x1b" not in out


def test_progress_that_is_no_terminal_is_a_line_a_step(capsys: pytest.CaptureFixture[str]) -> None:
    with screen.bars(screen.err()) as progress:
        progress("reading the corpus", 256, 0)
        progress("reading the corpus", 512, 0)
        progress("running the model (trained)", 0, 17)
        progress("running the model (trained)", 1, 17)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["reading the corpus ...", "running the model (trained): 17 parts ..."]


def test_progress_on_a_terminal_shows_bars(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console(stderr=True, force_terminal=True, width=120, markup=False)
    with screen.bars(console) as progress:
        progress("reading", 512, 0)
        progress("scoring [bold] units", 0, 4)
        progress("scoring [bold] units", 4, 4)
    out, err = capsys.readouterr()
    assert out == ""
    assert "scoring [bold] units" in err
    assert "4/4" in err
    assert "512/512" in err


def test_cost_is_one_line() -> None:
    plan = Plan(
        rounds=((), ()),
        n_items=1000,
        n_sites=20_000,
        n_workers=1,
        spool_bytes=3_000_000_000,
        worker_bytes=900_000_000,
        forwards=4000,
    )
    assert screen.cost(plan) == (
        "1,000 items, 20,000 words; 4 passes of the model (4,000 forwards of an item) in 2 rounds; up to 3.0 GB of "
        "disk and 900 MB of memory, 1 worker"
    )
    assert screen.cost(plan, ["image:13x13", "item"]).startswith("1,000 items, 20,000 cells; ")
    assert screen.cost(plan, ["item"]).startswith("1,000 items, 20,000 whole items; ")
