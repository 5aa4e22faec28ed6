"""Tables with bad rows: the run goes on and says how many, or ends in one line that says which row is broken."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

import unitscope
from unitscope.cli import app
from unitscope.merge import merge

SENTENCE = "the a cat dog bank river runs sat red big on in of book books read reads she he ran"
WORDS = SENTENCE.split()
ARGUMENTS = ["--layers", "mix", "--measures", "auroc", "--workers", "1"]


def rows(n: int = 240) -> list[dict[str, str]]:
    draw = random.Random(2)
    return [
        {"title": " ".join(draw.choices(WORDS, k=6)), "kind": draw.choice(["x", "y"]), "doc": f"d{i // 4}"}
        for i in range(n)
    ]


def run(arguments: list[str]) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments, prog_name="unitscope")
    return done.exit_code, done.stdout, done.stderr


def test_bad_rows_are_counted_and_told(small_model: str, tmp_path: Path) -> None:
    path, out = tmp_path / "news.jsonl", tmp_path / "atlas"
    written = [json.dumps(row) for row in rows()]
    written[5:5] = ['{"title": null, "kind": "x"}', '{"kind": "y"}', '{"title": " ", "kind": "x"}', ""]
    written.append('{"title": "the cat \\ud800 sat", "doc": "d0", "kind": null}')
    path.write_text("\n".join(written) + "\n")
    columns = ["--columns", "text=title,label=kind", "--columns", "group=doc"]
    concepts = ["--concepts", "words:20,ngrams:2:4,morphemes"]
    concepts += ["--concepts", "combine:cat x=words:cat and labels:kind=x"]
    command = ["map", small_model, "--corpus", str(path), "--out", str(out), *columns, *concepts, *ARGUMENTS]
    code, _, stderr = run(command)
    assert code == 0, stderr
    assert "news.jsonl is read as text=title, label=kind, group=doc\n" in stderr
    atlas = unitscope.Atlas.open(out)
    atlas.verify()
    assert atlas.manifest["notes"]["items"] == 241
    assert atlas.manifest["notes"]["corpus"] == {
        "read": ["news.jsonl is read as text=title, label=kind, group=doc"],
        "skipped": {"rows with broken characters": 1, "rows without text": 3},
    }
    names = {concept["concept"] for concept in atlas.concepts()}
    assert {"words:cat", "combine:cat x"} <= names
    assert any(name.startswith("ngrams:") for name in names)
    assert any(name.startswith("morphemes:") for name in names)
    code, shown, _ = run(["show", str(out)])
    assert code == 0
    assert "Passed over: 1 rows with broken characters, 3 rows without text." in " ".join(shown.split())


def test_merged_atlases_keep_what_was_told(small_model: str, tmp_path: Path) -> None:
    path = tmp_path / "news.csv"
    path.write_text("text,doc\n" + "".join(f"{row['title']},{row['doc']}\n" for row in rows()) + ",d1\n")
    parts = [
        unitscope.map(
            small_model,
            str(path),
            out=tmp_path / layer,
            layers=[layer],
            concepts=["words:20"],
            measures=["auroc"],
            workers=1,
        )
        for layer in ("mix", "out")
    ]
    merged = merge([part.path for part in parts], tmp_path / "both")
    assert merged.manifest["notes"]["corpus"] == parts[0].manifest["notes"]["corpus"]
    assert merged.manifest["notes"]["corpus"]["skipped"] == {"rows without text": 1}


@pytest.mark.parametrize(
    ("name", "content", "extra", "message"),
    [
        ("a.csv", "text,label\nthe cat,x\n", ["--columns", "text=txt"], "a.csv has no column 'txt'."),
        ("a.csv", "text,label\nthe cat,x\n", ["--columns", "text"], "Got 'text' in --columns."),
        ("a.csv", "text,label\nthe cat\n", [], "a.csv, line 2: 1 value."),
        ("a.jsonl", '{"text": "the cat"}\n{"text"\n', [], "a.jsonl, line 2: broken JSON"),
        ("a.jsonl", '{"text": "the cat"}\n' * 300 + '{"text": [1]}\n', [], "a.jsonl, line 301: 'text' holds a list."),
        ("a.parquet", "text", [], "a.parquet is no Parquet file"),
        ("a.csv", "text,label\nthe cat,x\n", ["--concepts", "labels"], "Each label has one value: 'label=x'"),
        ("a.csv", "text\nthe cat\n", ["--concepts", "labels"], "'a.csv' has no labels."),
        ("a.txt", "the cat\n", ["--columns", "text=a"], "'a.txt' has no columns to choose from."),
        ("a.csv", "text\nthe cat\n", ["--concepts", "combine:a=upos"], "Got 'upos' at character 1"),
        ("a.csv", "text\nthe cat\n", ["--concepts", "phrases"], "'phrases' needs the column 'head' of 'a.csv'"),
    ],
)
def test_what_stops_a_run_is_one_line(
    name: str,
    content: str,
    extra: list[str],
    message: str,
    small_model: str,
    tmp_path: Path,
) -> None:
    (tmp_path / name).write_text(content)
    out = tmp_path / "atlas"
    command = ["map", small_model, "--corpus", str(tmp_path / name), "--out", str(out), *extra, *ARGUMENTS]
    code, _, stderr = run(command)
    assert code == 2
    assert f"Error: {message}" in stderr
    assert "Traceback" not in stderr
    assert not out.exists()
