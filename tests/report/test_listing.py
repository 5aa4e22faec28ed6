import io

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from unitscope.report.listing import Column, Counts, Listing

COLUMNS = (
    Column("unit", lead=True, text=True),
    Column("concept", lead=True, text=True),
    Column("AUROC", "AUROC", text=True),
    Column("n", "n"),
    Column("highest at", "highest at:", text=True, free=True),
)
ROWS = (
    ("encoder.layer.3.intermediate:1203", "fires on [bold]x[/]", ".98 [.96, .99]", "812", "May, June, July, [red]"),
    ("encoder.layer.3:7", "falls on upos:NOUN", ".71 (no interval)", "9", "–"),
)


def render(shown: RenderableType, width: int) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width, markup=False, highlight=False, emoji=False).print(shown)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_a_listing_is_a_table_where_it_fits() -> None:
    lines = render(Listing(COLUMNS, ROWS), 140)
    assert [word in lines[0] for word in ("unit", "concept", "AUROC", "highest at")] == [True] * 4
    assert set(lines[1]) == {"─"}
    assert len(lines) == 4
    assert "fires on [bold]x[/]" in lines[2]
    assert lines[2].endswith("May, June, July, [red]")


def test_a_listing_is_labelled_paragraphs_where_it_does_not_fit() -> None:
    assert render(Listing(COLUMNS, ROWS), 60) == [
        "encoder.layer.3.intermediate:1203  fires on [bold]x[/]",
        "    AUROC .98 [.96, .99] · n 812",
        "    highest at: May, June, July, [red]",
        "encoder.layer.3:7  falls on upos:NOUN",
        "    AUROC .71 (no interval) · n 9",
    ]


@pytest.mark.parametrize("width", range(20, 150, 10))
def test_nothing_of_a_listing_is_lost_at_any_width(width: int) -> None:
    lines = render(Listing(COLUMNS, ROWS), width)
    assert all(cell_len(line) <= width for line in lines)
    joined = "".join("".join(lines).split())
    for row in ROWS:
        for cell in row:
            for word in cell.replace("–", "").split():
                assert word in joined or width < 40


def test_the_table_begins_just_where_all_columns_fit() -> None:
    columns = [Column("aa", text=True, lead=True), Column("bbbb", "b")]
    assert render(Listing(columns, [["x", "1"]]), 8)[0] == "aa  bbbb"
    assert render(Listing(columns, [["x", "1"]]), 7) == ["x", "    b 1"]


def test_counts_are_split_with_the_first_column_repeated() -> None:
    headings = ["layer", *(f"column{i}" for i in range(6))]
    rows = [["encoder.layer.0", *(str(i * 1000) for i in range(6))], ["b", *"123456"]]
    assert len(render(Counts(headings, rows), 80)) == 4
    lines = render(Counts(headings, rows), 40)
    heads = [line for line in lines if line.startswith("layer")]
    assert " ".join(heads).split() == [
        *("layer", "column0", "column1"),
        *("layer", "column2", "column3"),
        *("layer", "column4", "column5"),
    ]
    assert all(len(line) <= 40 for line in lines)
    assert sum(line.startswith("encoder.layer.0 ") for line in lines) == 3


def test_counts_too_narrow_for_the_first_column_fold_it_and_keep_the_numbers() -> None:
    lines = render(Counts(["layer", "units"], [["a" * 30, "1,536"]]), 20)
    assert "".join(line.split()[0] for line in lines[2:]) == "a" * 30
    assert lines[2].endswith("1,536")


def test_texts_are_flush_left_numbers_flush_right() -> None:
    lines = render(Counts(["x", "role", "n"], [["a", "hidden state", "1"], ["b", "e", "100"]], texts=("role",)), 80)
    assert lines[2:] == ["a  hidden state    1", "b  e             100"]


def test_an_empty_table_has_its_headings() -> None:
    assert render(Counts(["layer", "units"], []), 40)[0] == "layer  units"
