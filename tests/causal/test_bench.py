"""Benches: chunks on disk give the same bytes after a run was killed, and are not believed of another network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from unitscope import edits
from unitscope.causal import bench as benches
from unitscope.causal.partial import Partial, key_of

UNITS = [f"units:{n}" for n in range(6)]


class Killed(BaseException):
    """What stops a run."""


def test_a_killed_run_goes_on_with_the_same_bytes(
    plant: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benches, "CHUNK", 2)
    made = plant(lambda units: units[..., 0] * units[..., 1] + units[..., 4])
    chosen = [edits.zero([unit]) for unit in UNITS]
    whole = made.bench(partial=Partial(tmp_path / "other")).measured(chosen, "taking out")
    told: list[tuple[str, int, int]] = []

    def stop(what: str, done: int, total: int) -> None:
        told.append((what, done, total))
        if done >= 4:
            raise Killed

    partial = Partial(tmp_path / "partial")
    with pytest.raises(Killed):
        made.bench(partial=partial, tick=stop).measured(chosen, "taking out")
    assert told[0] == ("taking out", 0, 6)
    written = sorted(path.name for path in (partial.folder / "held-taking-out").iterdir())
    assert "000000.safetensors" in written
    assert "000004.safetensors" not in written
    run: list[int] = []
    again = made.bench(partial=partial)
    task = replace(again.task, read=lambda out, batch: run.append(1) or made.bench().task.read(out, batch))
    found = replace(again, task=task).measured(chosen, "taking out")
    assert found.statistics.tobytes() == whole.statistics.tobytes()
    full: list[int] = []
    task = replace(again.task, read=lambda out, batch: full.append(1) or made.bench().task.read(out, batch))
    replace(again, task=task, partial=None).measured(chosen, "taking out")
    assert len(run) < len(full)
    partial.discard()
    assert not partial.folder.exists()


def test_what_another_task_left_is_not_believed(
    plant: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(benches, "CHUNK", 2)
    partial, chosen = Partial(tmp_path / "partial"), [edits.zero([unit]) for unit in UNITS]
    plant(lambda units: units[..., 0]).bench(partial=partial).measured(chosen, "taking out")
    other = plant(lambda units: units[..., 1])
    found = other.bench(partial=partial).measured(chosen, "taking out")
    assert found.values.tolist() == pytest.approx([other.value([]), *(other.value([unit]) for unit in UNITS)], abs=1e-5)


def test_other_edits_under_the_same_name_are_measured(plant: Callable[..., Any], tmp_path: Path) -> None:
    """A ranking that was made anew under its name between the run that was killed and the next one."""
    partial, made = Partial(tmp_path / "partial"), plant(lambda units: units[..., 0] + 2 * units[..., 3])
    made.bench(partial=partial).measured([edits.zero([unit]) for unit in UNITS], "taking out")
    turned = [edits.zero([unit]) for unit in UNITS[::-1]]
    found = made.bench(partial=partial).measured(turned, "taking out")
    assert np.array_equal(found.statistics, made.bench().measured(turned, "taking out").statistics)


def test_keys_tell_edits_apart() -> None:
    def masked(*sites: bool) -> edits.Edit:
        return edits.set("units:1", 2.0, where=edits.Mask.drawn({"a": sites}))

    different = [
        [edits.zero(UNITS[:1])],
        [edits.zero(UNITS[:2])],
        [edits.zero(UNITS[:1]), edits.zero(UNITS[1:2])],
        [edits.set("units:0", 1.0)],
        [edits.set("units:0", 2.0)],
        [masked(True, False)],
        [masked(False, True)],
        [edits.zero("units:0", where=edits.Mask.items("a"))],
        [edits.zero("units:0", where=edits.Mask.items("b"))],
        [edits.zero("units:0", where=~edits.Mask.items("b"))],
    ]
    keys = [key_of(each) for each in different]
    assert len(set(keys)) == len(keys)
    assert key_of([masked(True, False)]) == keys[5], "another object of the same edit"


def test_a_broken_chunk_is_measured_again(plant: Callable[..., Any], tmp_path: Path) -> None:
    partial, chosen = Partial(tmp_path / "partial"), [edits.zero([unit]) for unit in UNITS]
    made = plant(lambda units: units[..., 0])
    first = made.bench(partial=partial).measured(chosen, "taking out")
    path = partial.folder / "held-taking-out" / "000000.safetensors"
    path.write_bytes(path.read_bytes()[:-8] + b"\0" * 8)
    found = made.bench(partial=partial).measured(chosen, "taking out")
    assert np.array_equal(found.statistics, first.statistics)
    path.write_bytes(b"")
    assert np.array_equal(made.bench(partial=partial).measured(chosen, "taking out").statistics, first.statistics)


def test_a_long_run_says_how_long(plant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 100_000, 100))
    monkeypatch.setattr(benches, "monotonic", lambda: next(clock))
    told: list[str] = []
    bench = plant(lambda units: units[..., 0]).bench(tick=lambda what, done, total: told.append(what))

    def statistics(model: Any, edits: Any, batch_size: int, tick: Any = None) -> Any:
        if tick is not None:
            for done in (1, 2, 3, 4):
                tick(done, 4)
        return np.zeros((len(edits), 40, 2))

    monkeypatch.setattr(type(bench.task), "statistics", lambda self, *given: statistics(*given))
    bench.measured([edits.zero([unit]) for unit in UNITS], "taking out")
    assert told[0] == "taking out"
    assert told[-1] == "taking out, about 7 min by the first batch", "100 s for a quarter of it"
