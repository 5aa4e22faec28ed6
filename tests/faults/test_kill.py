"""A run that is killed anywhere goes on when it is started again and ends with the same bytes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

if not hasattr(os, "fork"):
    pytest.skip("kills are tried in forked processes, which this system does not have", allow_module_level=True)

HERE = Path(__file__).parent
Go = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def go(small_corpus: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Go]:
    """Runs of the driver: `go(kills, workers)` gives codes, names, digests and what is left beside the atlas."""
    source = HERE.parents[1] / "src"
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    environment = {**os.environ, **threads, "PYTHONPATH": os.pathsep.join([str(source), str(HERE), *sys.path[1:]])}
    folder = tmp_path_factory.mktemp("kills")
    log = (folder.parent / "kills.log").open("w+")
    process = subprocess.Popen(
        [sys.executable, str(HERE / "kill_driver.py"), small_corpus, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(kills: list[Any], workers: int = 1) -> dict[str, Any]:
        process.stdin.write(json.dumps({"kills": kills, "workers": workers}) + "\n")
        process.stdin.flush()
        line = process.stdout.readline()
        if not line:
            log.seek(0)
            pytest.fail(f"the driver failed: {log.read()[-3000:]}")
        found: dict[str, Any] = json.loads(line)
        return found

    yield ask
    process.stdin.close()
    process.wait()
    process.stdout.close()
    log.close()


@pytest.fixture(scope="module")
def unbroken(go: Go) -> dict[str, Any]:
    return go([])


def same(found: dict[str, Any], unbroken: dict[str, Any]) -> None:
    assert found["codes"][-1] == 0
    assert found["digests"] == unbroken["digests"]
    assert found["left"] == []


def step(unbroken: dict[str, Any], name: str, which: int = 0) -> int:
    """Number of the step whose name begins and ends like `name`, `*` in between."""
    begin, _, end = name.partition("*")
    found = [i for i, each in enumerate(unbroken["names"]) if each.startswith(begin) and each.endswith(end)]
    return found[which]


def test_an_unbroken_run_leaves_the_atlas_alone(unbroken: dict[str, Any]) -> None:
    assert unbroken["codes"] == [0]
    assert unbroken["left"] == []
    assert {"manifest.json", "checksums.json", "units.parquet", "matches.parquet"} <= set(unbroken["digests"])
    assert len(unbroken["names"]) > 150


@pytest.mark.parametrize(
    "where",
    [
        pytest.param(("half items-00001.json", 0), id="preparing the corpus"),
        pytest.param(("after rename prepared.tmp", 0), id="after the corpus is there"),
        pytest.param(("half 00001.safetensors", 0), id="inside a shard"),
        pytest.param(("begin 00001.safetensors", 0), id="between shards"),
        pytest.param(("half 001-0000000.safetensors", 0), id="inside a block of units"),
        pytest.param(("half 001.safetensors", 0), id="checking resampling"),
        pytest.param(("half rmtree trained-0", 0), id="deleting the spool"),
        pytest.param(("half units.parquet", 0), id="inside a table"),
        pytest.param(("after replace .checksums.json*tmp", 0), id="after the checksums"),
        pytest.param(("before rename atlas", 0), id="before the last renaming"),
        pytest.param(("after rename atlas", 0), id="after the last renaming"),
        pytest.param(("half rmtree prepared", 0), id="cleaning up"),
        pytest.param(("after unlink study.json", 0), id="at the end of cleaning up"),
    ],
)
def test_a_kill_at_a_step(go: Go, unbroken: dict[str, Any], where: tuple[str, int]) -> None:
    found = go([step(unbroken, *where)])
    assert found["codes"] == [-9, 0]
    same(found, unbroken)


def test_kill_after_kill(go: Go, unbroken: dict[str, Any]) -> None:
    found = go(list(range(3, len(unbroken["names"]), 6)))
    assert found["codes"][:8] == [-9] * 8
    same(found, unbroken)


def test_kills_at_random_times(go: Go, unbroken: dict[str, Any]) -> None:
    draw = random.Random(0)
    same(go([draw.uniform(0.05, 0.5) for _ in range(4)]), unbroken)


@pytest.mark.parametrize("workers", [2, 3])
def test_kills_with_worker_processes(go: Go, unbroken: dict[str, Any], workers: int) -> None:
    found = go([0.15, ["worker", 1], 0.25, ["worker", 3]], workers)
    assert found["codes"][0] == -9
    assert 1 in found["codes"], "no run was told that its worker died"
    same(found, unbroken)


@pytest.mark.parametrize("workers", [2, 3])
def test_the_number_of_workers_changes_no_bit(go: Go, unbroken: dict[str, Any], workers: int) -> None:
    same(go([], workers), unbroken)


def test_a_run_may_go_on_with_another_number_of_workers(go: Go, unbroken: dict[str, Any]) -> None:
    same(go([step(unbroken, "half 001-0000000.safetensors")], 3), unbroken)


@pytest.mark.parametrize("name", ["after rename atlas", "half rmtree blocks", "after rmtree prepared"])
def test_an_atlas_deleted_after_a_kill_is_made_again(go: Go, unbroken: dict[str, Any], name: str) -> None:
    found = go([step(unbroken, name, -1), "delete"])
    assert found["codes"] == [-9, 0]
    same(found, unbroken)
