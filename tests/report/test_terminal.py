import io
import re
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from unitscope.atlas import Atlas
from unitscope.report import terminal
from unitscope.report.unit import unit

FORBIDDEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
LAYER = "encoder.layer.1.intermediate"


@pytest.fixture(scope="module")
def atlas(tiny_atlas: Path) -> Atlas:
    return Atlas.open(tiny_atlas)


@pytest.fixture(scope="module")
def hostile(hostile_atlas: Path) -> Atlas:
    return Atlas.open(hostile_atlas)


def render(shown: RenderableType, width: int = 140) -> str:
    file = io.StringIO()
    Console(file=file, width=width, markup=False, highlight=False, emoji=False).print(shown)
    return file.getvalue()


def cells(text: str, start: str) -> list[list[str]]:
    """Cells of all lines that begin with `start`."""
    return [re.split(r"\s{2,}", line.strip()) for line in text.splitlines() if line.startswith(start)]


def test_overview_says_what_was_run(atlas: Atlas) -> None:
    text = render(terminal.overview(atlas))
    assert text.startswith("tinybert over tiny.conllu\n5 layers, 112 units, 4 measures, seed 0\n")
    assert "Grid source: 1,131 words in 60 groups" in text
    assert "blocks are the 60 groups" in text
    assert "A word's value is its last subword's; with the mean, " in text
    assert f"Smallest attainable q: {atlas.summary['trained']['all']['smallest_q']:.2g}." in text
    assert "No word was dropped or cut off." in text


def test_overview_has_the_manifests_counts(atlas: Atlas) -> None:
    rows = cells(render(terminal.overview(atlas)), LAYER)
    counts = atlas.summary["trained"][LAYER]
    assert rows[0][1:7] == [str(counts[name]) for name in ("units", "dead", "constant", "nan", "tested", "reported")]
    assert rows[0][8] == terminal.with_share(counts["lexical"], 32)
    assert rows[1][1] == f"{100 * counts['median_shares']['form']:.0f} %"
    assert len(rows[2]) == 7  # first and any contextual match, each trained, untrained, rotation
    assert cells(render(terminal.overview(atlas)), "embeddings.token")[1][1:] == ["–"] * 6


def test_overview_says_when_nothing_is_contextual(atlas: Atlas, hostile: Atlas) -> None:
    note = "No unit is contextual here: word form or position explains all matches."
    assert note in render(terminal.overview(atlas))
    assert note not in render(terminal.overview(hostile))
    assert "Best-supported contextual matches" in render(terminal.overview(hostile))
    assert "None is contextual." in render(terminal.overview(atlas, kind="contextual"))


def test_what_was_left_out_and_runs_inside_groups_are_told(atlas: Atlas) -> None:
    manifest = dict(atlas.manifest)
    manifest["notes"] = {
        "counts": {"dropped_words": 3, "truncated_words": 0, "truncated_items": 0, "windowed_items": 1200},
        "resampling": {"between": ["last", "mean"], "changed": 0, "of": 0, "share": None},
    }
    grid = {**manifest["grids"]["source"], "blocks_are_runs_inside_groups": True, "blocks": 77}
    manifest["grids"] = {"source": grid}
    text = render(terminal.identity(Atlas(atlas.path, manifest, {})), 500)
    assert "3 words have no position in the model; 1,200 items were read in windows." in text
    assert "blocks are 77 runs of items inside groups" in text
    assert "A word's value is that of its last position." in text


@pytest.mark.parametrize("width", [60, 80, 140, 220])
def test_every_view_keeps_hostile_words_harmless_at_any_width(hostile: Atlas, width: int) -> None:
    concept = next(row["concept"] for row in hostile.concepts() if "dog" in row["concept"])
    address = next(f"{row['layer']}:{row['unit']}" for row in hostile.matches(concept=concept))
    views = [
        terminal.overview(hostile),
        terminal.concept(hostile, concept),
        terminal.layer(hostile, LAYER),
        terminal.passport(hostile),
        terminal.baselines(hostile),
        unit(hostile, address),
    ]
    for view in views:
        text = render(view, width)
        assert not FORBIDDEN.search(text.replace("\n", ""))
        assert all(cell_len(line) <= width for line in text.splitlines())
    shown = "".join(render(views[1], width).split())
    assert "upos:[bold]\ufffd[31mdog\ufffd[/bold]:smile:" in shown


@pytest.mark.parametrize("width", [60, 80, 140])
def test_a_terminal_gets_no_escape_but_its_own_styles(hostile: Atlas, width: int) -> None:
    file = io.StringIO()
    console = Console(file=file, width=width, markup=False, highlight=False, emoji=False, force_terminal=True)
    console.print(terminal.overview(hostile))
    codes = set(re.findall(r"\x1b\[([0-9;]*)m", file.getvalue()))
    assert codes <= {"0", "1", "2", "1;4", "1;7"}
    assert not FORBIDDEN.search(re.sub(r"\x1b\[[0-9;]*m", "", file.getvalue()).replace("\n", ""))


def test_matches_show_every_number_with_its_name(hostile: Atlas) -> None:
    from unitscope.report.findings import best_supported

    row = best_supported(hostile, kind="contextual", top=1)[0]
    row |= {"score": 0.9812, "low": 0.96, "high": 0.991, "q": 0.0004, "n": 1812, "prevalence": 0.05}
    text = " ".join(render(terminal.findings_list([row]), 70).split())
    for part in (
        "AUROC .98 [.96, .99]",
        "within form .80",
        f"within form × position {terminal.effect(row['within_form_position'])}",
        "untrained p99 .60",
        "prevalence 5.0 %",
        "n 1,812",
        "q <.001",
        f"{'highest' if row['sign'] > 0 else 'lowest'} at: ",
    ):
        assert part in text
    lonely = render(terminal.findings_list([{**row, "low": None, "high": None}]), 70)
    assert "AUROC .98 (no interval)" in lonely


def test_baselines_and_passport_have_a_line_a_variant(atlas: Atlas) -> None:
    for view in (terminal.baselines(atlas), terminal.passport(atlas)):
        lines = [line.split()[1] for line in render(view).splitlines() if line.startswith(LAYER)]
        assert lines == ["trained", "untrained", "rotation"]


def test_a_rare_concept_is_told_to_be_untested(atlas: Atlas) -> None:
    rare = [row["concept"] for row in atlas.concepts() if not row["eligible"]]
    assert rare
    assert "Too rare (or too frequent) to be tested" in render(terminal.concept(atlas, rare[0]))


def test_layer_names_its_role_and_concepts(atlas: Atlas) -> None:
    text = render(terminal.layer(atlas, LAYER))
    assert text.startswith(f"{LAYER} feed-forward neurons, 32 units, grid source\n")
    assert "Concepts that most units are matched with first" in text
    assert [row[0] for row in cells(text, "trained")] == ["trained"]
    dead = render(terminal.layer(atlas, "embeddings.token_type_embeddings"))
    assert dead.rstrip().endswith("None.")
