"""The command line from end to end: what it prints where, what it imports, how it fails."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from unitscope.atlas import Atlas
from unitscope.cli import app

HEAVY = ("torch", "numpy", "numba", "transformers", "pyarrow", "scipy", "duckdb")
LAYERS = "encoder.layer.0,encoder.layer.0.intermediate"


def unitscope(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], prog_name="unitscope")


def process(*arguments: object, **options: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "unitscope", *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def fresh(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def heavy_after(statement: str) -> list[str]:
    code = f"import sys\ntry:\n {statement}\nexcept SystemExit: pass\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    return list(json.loads(fresh(code).stdout.splitlines()[-1].replace("'", '"')))


@pytest.mark.parametrize("arguments", [["--help"], ["map", "--help"], ["show", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    assert heavy_after(f"from unitscope.cli import app; app({arguments!r})") == []


def test_importing_the_package_imports_nothing_heavy() -> None:
    assert heavy_after("import unitscope") == []
    assert heavy_after("import unitscope; unitscope.map") != []  # so that the test above can fail


def test_help_and_import_are_quick() -> None:
    def least(code: str) -> float:
        return min(float(fresh(f"import time; t = time.perf_counter(); {code}").stdout.split()[-1]) for _ in range(3))

    assert least("import unitscope; print(time.perf_counter() - t)") < 0.1
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        with process("--help") as running:
            assert running.communicate()[0].startswith("Usage: unitscope")
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.5


def test_help_lists_what_there_is_and_no_more() -> None:
    text = unitscope("--help").stdout
    listed = [line.split()[0] for line in text.partition("Commands:")[2].splitlines() if line.strip()]
    maps = ["demo", "layers", "map", "show", "export", "merge", "contest"]
    assert listed == [*maps, "rank", "probe", "compare", "attribute", "ablate", "steer"]
    assert "..." not in text.partition("Commands:")[2]


def test_layers(tiny_model: Path) -> None:
    result = unitscope("layers", tiny_model)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("tinybert: ")
    assert lines[2].split() == ["address", "width", "grid", "role", "heads", "order"]
    row = next(line for line in lines if line.startswith("encoder.layer.1.attention.output.dense@in "))
    assert row.split()[1:6] == ["16", "source", "attention", "heads", "2"]
    data = json.loads(unitscope("layers", tiny_model, "--json").stdout)
    assert data["model"] == "tinybert"
    assert [layer["order"] for layer in data["layers"]] == sorted(layer["order"] for layer in data["layers"])
    known = {"address", "width", "grid", "role", "n_heads", "order", "cells", "pooled_from", "basis"}
    assert known == set(data["layers"][0])


def test_dry_run_prints_the_plan_and_writes_nothing(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    arguments = ["map", tiny_model, "--corpus", tiny_corpus, "--out", tmp_path / "a", "--layers", LAYERS]
    arguments += ["--baseline", "untrained", "--workers", "1", "--dry-run"]
    data = json.loads(unitscope(*arguments, "--json").stdout)
    wanted = {"layers": 2, "units": 48, "items": 180, "sites": 1131, "rounds": 1, "passes": 2, "forwards": 360}
    assert {name: data[name] for name in wanted} == wanted
    assert data["spool_bytes"] == 48 * 2 * 1131
    text = unitscope(*arguments).stdout
    assert ["forwards", "360"] in [line.split() for line in text.splitlines()]
    assert list(tmp_path.iterdir()) == []


def test_map_show_and_merge(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    both = ["--corpus", tiny_corpus, "--concepts", "upos,feats", "--concepts", "deprel", "--workers", "1"]
    both += ["--measures", "auroc,iou:quantile=0.95,tail=upper", "--memory", "8GB", "--disk", "1GB"]
    first = unitscope("map", tiny_model, *both, "--out", tmp_path / "a", "--layers", LAYERS)
    assert first.exit_code == 0, first.stderr
    assert "180 items, 1,131 words; 1 pass of the model (180 forwards of an item) in 1 round" in first.stderr
    assert "running the model (trained)" in first.stderr
    assert first.stdout.rstrip().endswith(f"see: unitscope show {tmp_path / 'a'}")
    assert "encoder.layer.0.intermediate" in first.stdout
    assert Atlas.open(tmp_path / "a").manifest["study"]["measures"] == ["auroc", "iou:quantile=0.95,tail=upper"]
    second = unitscope("map", tiny_model, *both, "--out", tmp_path / "b", "--layers", "encoder.layer.1", "--json")
    assert json.loads(second.stdout)["summary"]["trained"]["encoder.layer.1"]["units"] == 16
    merged = unitscope("merge", tmp_path / "a", tmp_path / "b", "--out", tmp_path / "m")
    assert merged.exit_code == 0, merged.stderr
    assert Atlas.open(tmp_path / "m").layers == [*LAYERS.split(",")[::-1], "encoder.layer.1"]
    again = unitscope("merge", tmp_path / "a", tmp_path / "a", "--out", tmp_path / "n")
    assert again.exit_code == 2
    assert again.stderr.startswith("Error: Layer 'encoder.layer.0")


def test_mapping_again_changes_nothing_and_another_map_is_refused(
    tiny_model: Path, tiny_corpus: Path, tiny_atlas: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in tiny_atlas.rglob("*")}
    result = unitscope("map", tiny_model, "--corpus", tiny_corpus, "--out", tiny_atlas)
    assert result.exit_code == 2
    assert "holds the atlas of another run" in result.stderr
    same = ["--layers", "encoder.layer.[01].intermediate,encoder.layer.[01],embeddings.token_type_embeddings"]
    same += ["--concepts", "upos,feats,deprel,position", "--measures", "auroc,average_precision,iou,correlation"]
    same += ["--baseline", "untrained,rotation"]
    result = unitscope("map", tiny_model, "--corpus", tiny_corpus, "--out", tiny_atlas, *same)
    assert result.exit_code == 0, result.stderr
    assert {path: path.stat().st_mtime_ns for path in tiny_atlas.rglob("*")} == before


@pytest.mark.parametrize(
    ("view", "told"),
    [
        ([], "Units by layer"),
        (["--kind", "positional", "--top", "2"], "Best-supported positional matches"),
        (["--unit", "encoder.layer.1:3"], "Where it is highest"),
        (["--concept", "upos:PUNCT"], "Units matched with it, by layer"),
        (["--layer", "encoder.layer.1"], "Concepts that most units are matched with first"),
        (["--passport"], "Median over the layer's units"),
        (["--baselines"], "the same activations in a random basis"),
    ],
)
def test_show(tiny_atlas: Path, view: list[str], told: str) -> None:
    result = unitscope("show", tiny_atlas, *view)
    assert result.exit_code == 0
    assert told in result.stdout
    assert result.stderr == ""
    data = unitscope("show", tiny_atlas, *view, "--json").stdout
    assert "NaN" not in data
    assert json.loads(data)


def test_show_limits_what_it_shows(tiny_atlas: Path) -> None:
    data = json.loads(unitscope("show", tiny_atlas, "--kind", "lexical", "--top", "3", "--json").stdout)
    assert [row["kind"] for row in data["findings"]] == ["lexical"] * 3
    assert data["study"]["corpus"] == "tiny.conllu"
    text = unitscope("show", tiny_atlas, "--unit", "encoder.layer.1:3", "--top", "2").stdout
    parts = dict(part.split("\n", 1) for part in text.split("\n\n") if "«" in part)
    assert {"Where it is highest", "Drawn from all words"} <= set(parts)
    for heading, lines in parts.items():
        assert lines.count("«") == (4 if "bands" in heading else 2), heading


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["show", "nowhere"], "Error: 'nowhere' is no atlas: it has no manifest.json."),
        (["show", "ATLAS", "--unit", "encoder.layer.1:16"], "Got unit '16' of layer 'encoder.layer.1'. Expected"),
        (["show", "ATLAS", "--unit", "encoder.layer.2:1"], "Closest: 'encoder.layer.1'"),
        (["show", "ATLAS", "--concept", "upos:NOUM"], "Closest: 'upos:NOUN'"),
        (
            ["show", "ATLAS", "--kind", "x"],
            "Got kind 'x'. Expected: one of contextual, lexical, positional, appearance.",
        ),
        (["show", "ATLAS", "--passport", "--baselines"], "Got --passport and --baselines. Expected: one of them."),
        (["show", "ATLAS", "--top", "0"], "Invalid value for '--top'"),
        (["layers", "/no/such/model"], "Model folder '/no/such/model' does not exist."),
        (["map", "MODEL", "--corpus", "CORPUS"], "Missing option '--out'"),
        (["map", "MODEL", "--corpus", "x.foo", "--out", "OUT"], "Unknown ending '.foo' of corpus 'x.foo'."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--layers", "encoder.layer.9"], "List them: unitscope"),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--concepts", "upso"], "Closest: 'upos'"),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--measures", "auroc,x"], "Unknown measure 'x'."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--baseline", "rotate"], "Closest: 'rotation'"),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--resample", "sum"], "Unknown resampling 'sum'."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--long", "cut"], "Got 'cut' for long items."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--memory", "x"], "Got 'x' for --memory."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--memory", "1MB"], "Raise --memory or --disk"),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--batch-size", "0"], "Got batch_size=0."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--workers", "0"], "'--workers'"),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--max-items", "0"], "Got max_items=0."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--target", "x"], "Got target='x'."),
        (["map", "MODEL", "--corpus", "CORPUS", "--out", "OUT", "--device", "no"], "Device 'no' cannot be used"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_the_users_errors_exit_2_and_say_what_to_do(
    arguments: list[str], told: str, tiny_model: Path, tiny_corpus: Path, tiny_atlas: Path, tmp_path: Path
) -> None:
    places = {"MODEL": tiny_model, "CORPUS": tiny_corpus, "ATLAS": tiny_atlas, "OUT": tmp_path / "out"}
    result = unitscope(*(places.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_an_interrupted_map_exits_130_and_goes_on(tiny_model: Path, tiny_corpus: Path, tmp_path: Path) -> None:
    arguments = ["map", tiny_model, "--corpus", tiny_corpus, "--out", tmp_path / "a", "--layers", LAYERS]
    arguments += ["--concepts", "upos", "--measures", "auroc", "--workers", "2"]
    for _ in range(5):
        with process(*arguments, start_new_session=True) as running:
            assert running.stderr is not None
            for line in running.stderr:
                if line.startswith("running the model"):
                    break
            os.killpg(running.pid, signal.SIGINT)  # as a terminal does: to the workers too
            out, err = running.communicate(timeout=60)
        if running.returncode:
            break
        shutil.rmtree(tmp_path / "a")  # on a busy machine it may have ended before it was told to stop
    assert running.returncode == 130, err
    assert err.splitlines()[-1] == "Stopped. The same command goes on where this one stopped."
    assert "Traceback" not in err
    assert out == ""
    assert not (tmp_path / "a").exists()
    assert unitscope(*arguments[:-2], "--workers", "1").exit_code == 0
    assert Atlas.open(tmp_path / "a").layers == LAYERS.split(",")[::-1]


def test_a_reader_that_goes_away_is_no_error(tiny_atlas: Path) -> None:
    for view in ([], ["--json", "--top", "500"]):
        with process("show", tiny_atlas, *view) as running:
            assert running.stdout is not None
            running.stdout.close()
            assert running.stderr is not None
            assert running.stderr.read() == ""
        assert running.returncode in (0, 1)


@pytest.mark.parametrize("width", [40, 80, 140])
def test_no_line_is_longer_than_the_terminal(tiny_atlas: Path, width: int) -> None:
    with process("show", tiny_atlas, env={**os.environ, "COLUMNS": str(width)}) as running:
        lines = running.communicate()[0].splitlines()
    assert max(map(len, lines)) <= width
    assert not any("…" in line for line in lines)
