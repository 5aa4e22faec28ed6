"""An atlas whose verdicts and words were replaced, to see how reports order them and what they make of hostile text."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from unitscope.store import sha256_of, write_json

HOSTILE = "[bold]\x1b[31mdog\x00\u202e[/bold]\n:smile:"
Row = dict[str, Any]


def rewrite(atlas: Path, table: str, change: Callable[[int, Row], None]) -> None:
    """Change the rows of a table in place, and the checksums with it."""
    path = atlas / f"{table}.parquet"
    found = parquet.read_table(path)
    rows = found.to_pylist()
    for index, row in enumerate(rows):
        change(index, row)
    parquet.write_table(pyarrow.Table.from_pylist(rows, schema=found.schema), path)
    sums = json.loads((atlas / "checksums.json").read_text("utf-8"))
    write_json(atlas / "checksums.json", {**sums, path.name: sha256_of(path)})


@pytest.fixture(scope="session")
def hostile_atlas(tmp_path_factory: pytest.TempPathFactory, tiny_atlas: Path) -> Path:
    """The tiny atlas with contextual matches of drawn strength, some without interval, and hostile words."""
    folder = tmp_path_factory.mktemp("hostile") / "atlas"
    shutil.copytree(tiny_atlas, folder)
    draw = random.Random(0)

    def judge(index: int, row: Row) -> None:
        if row["concept"] == "upos:NOUN":
            row["concept"] = f"upos:{HOSTILE}"
        if row["measure"] == "auroc" and draw.random() < 0.4:
            low = round(draw.uniform(0.5, row["score"]), 3) if draw.random() < 0.8 else None
            row |= {"kind": "contextual", "low": low, "high": None if low is None else 1.0}
            row |= {"within_form": 0.8, "within_form_position": round(draw.uniform(0.5, 1), 3), "untrained_p99": 0.6}

    def shout(index: int, row: Row) -> None:
        row |= {"words": [f"{HOSTILE}{(index + at) % 3}{'x' * 900 * (at == 2)}" for at in range(len(row["words"]))]}

    def rename(index: int, row: Row) -> None:
        if row["concept"] == "upos:NOUN":
            row["concept"] = f"upos:{HOSTILE}"

    rewrite(folder, "matches", judge)
    rewrite(folder, "items", shout)
    rewrite(folder, "concepts", rename)
    return folder
