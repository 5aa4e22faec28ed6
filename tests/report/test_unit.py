import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from unitscope.atlas import Atlas
from unitscope.report import unit as report
from unitscope.report.plain import effect, number, share

LAYER = "encoder.layer.1.intermediate"


@pytest.fixture(scope="module")
def atlas(tiny_atlas: Path) -> Atlas:
    return Atlas.open(tiny_atlas)


def render(shown: RenderableType, width: int = 120) -> str:
    file = io.StringIO()
    Console(file=file, width=width, markup=False, highlight=False, emoji=False).print(shown)
    return file.getvalue()


def reported(atlas: Atlas) -> tuple[str, Any]:
    """A reported unit with a concept that it falls on, if there is one, else any."""
    row = min(atlas.matches(layer=LAYER), key=lambda row: (row["sign"], row["slot"], row["unit"]))
    address = f"{LAYER}:{row['unit']}"
    return address, atlas.unit(address)


def test_a_reported_unit_has_everything_with_its_name(atlas: Atlas) -> None:
    address, record = reported(atlas)
    text = render(report.unit(atlas, address))
    row = record.row
    assert text.startswith(f"{address} feed-forward neurons · live · {row['kind']}\n")
    assert f"mean {number(row['mean'])}, standard deviation {number(row['sd'])}, from {number(row['least'])}" in text
    for match in record.matches:
        if match["measure"] == "auroc":
            line = next(line for line in text.splitlines() if f"{match['concept']} " in line)
            assert ("fires on" in line) == (match["sign"] > 0)
            assert ("falls on" in line) == (match["sign"] < 0)
            assert f"{effect(match['score'])} [" in line
        else:
            line = next(line for line in text.splitlines() if line.startswith(match["measure"]))
            assert line.split()[1:] == [number(match[key]) for key in ("score", "chance", "ceiling")]
    covers = [row[f"cover_{k}"] for k in range(1, 6) if row[f"cover_{k}"] is not None]
    assert f"hold at {', '.join(share(value) for value in covers)}; none of them at" in " ".join(text.split())
    falls = any(match["sign"] < 0 for match in record.matches)
    assert ("Where it is lowest" in text) == falls
    drawn = sum(len(record.of_kind(kind)) for kind in ("band", "random", "missed"))
    ends = len(record.of_kind("top")[:10]) + falls * len(record.of_kind("low")[:10])
    assert text.count("«") == ends + drawn


def test_passport_bars_are_as_long_as_their_shares() -> None:
    view = {"share_form": 0.5, "share_rest": 0.1, "share_position": None}
    lines = report.passport(view, ["form", "rest", "position"]).plain.splitlines()
    assert [line.count("█") for line in lines] == [15, 3, 0]
    assert lines[0].startswith("form        50 %  █")


def test_fewer_than_ten_effective_groups_have_no_interval(atlas: Atlas) -> None:
    _, record = reported(atlas)
    match = next(row for row in record.matches if row["measure"] == "auroc")
    text = render(report.concepts([{**match, "low": None, "high": None}]), 200)
    assert "(no interval: fewer than 10 effective groups)" in text


def test_a_constant_unit_says_that_nothing_was_tested(atlas: Atlas) -> None:
    text = render(report.unit(atlas, "embeddings.token_type_embeddings:2"))
    assert "constant" in text.splitlines()[0]
    assert "Nothing was tested: no concept is frequent enough, or the unit does not vary." in text
    assert "What its variance is made of" not in text


def test_an_unreported_unit_names_what_was_tested(atlas: Atlas) -> None:
    found = atlas.sql("select layer, unit from units where concept is null and tested is not null limit 1")
    if not found:
        pytest.skip("every tested unit of the tiny atlas is reported")
    text = render(report.unit(atlas, f"{found[0]['layer']}:{found[0]['unit']}"))
    assert "None is reported. Tested first: " in text


def test_a_broken_unit_says_so() -> None:
    view = {"address": "l:1", "role": "", "name": "", "status": "nan", "kind": None}
    assert "no finite numbers" in report._head(view).plain
