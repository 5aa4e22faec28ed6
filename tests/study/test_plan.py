"""Plans: rounds that hold every unit once and keep the budgets, and what is said when none can."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unitscope.errors import PlanError
from unitscope.models.base import Layer
from unitscope.study import plan
from unitscope.study.plan import Budget, Plan, Slice, Study, blocks_of, make_plan


@pytest.fixture(autouse=True, scope="module")
def _blocks_of_256() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "UNITS_PER_BLOCK", 256)
        yield


def study(*widths: int, **changed: Any) -> Study:
    layers = tuple(Layer(f"l{i}", width, "source", order=i) for i, width in enumerate(widths))
    return Study("m", "w", "c", "h", layers, ("TagSource()",), ("auroc",), **changed)


def make(widths: tuple[int, ...], budget: Budget, n_sites: int = 1000, workers: int = 1, **changed: Any) -> Plan:
    return make_plan(
        study(*widths, **changed),
        n_items=100,
        n_sites=n_sites,
        model_bytes=0,
        folder=Path(),
        budget=budget,
        workers=workers,
    )


@given(widths=st.lists(st.integers(1, 3000), min_size=1, max_size=6), n_at_once=st.integers(256, 4000))
def test_rounds_hold_every_unit_once_and_keep_the_disk_budget(widths: list[int], n_at_once: int) -> None:
    found = make(tuple(widths), Budget(disk=2 * 1000 * n_at_once))
    units = [(s.layer, unit) for part in found.rounds for s in part for unit in range(s.start, s.stop)]
    assert units == [(layer, unit) for layer, width in enumerate(widths) for unit in range(width)]
    for part in found.rounds:
        assert 0 < sum(s.stop - s.start for s in part) <= n_at_once
        assert all(s.start % 256 == 0 and (s.stop % 256 == 0 or s.stop == widths[s.layer]) for s in part)
    assert found.spool_bytes == max(sum(s.stop - s.start for s in part) for part in found.rounds) * 2000
    assert found.spool_bytes <= 2 * 1000 * n_at_once
    assert found.forwards == 100 * len(found.rounds)
    assert found.passes == len(found.rounds)


@given(widths=st.lists(st.integers(1, 2000), min_size=1, max_size=4), n_at_once=st.integers(256, 4000))
def test_blocks_are_the_same_however_rounds_are_cut(widths: list[int], n_at_once: int) -> None:
    whole = [block for part in make(tuple(widths), Budget(disk=10**12)).rounds for block in blocks_of(part)]
    cut = [block for part in make(tuple(widths), Budget(disk=2000 * n_at_once)).rounds for block in blocks_of(part)]
    assert cut == whole
    assert all(block.stop - block.start <= 256 for block in whole)


@given(widths=st.lists(st.integers(1, 2000), min_size=1, max_size=4), spare=st.integers(0, 10**8))
def test_the_memory_budget_is_kept(widths: list[int], spare: int) -> None:
    sites_in_shard = round(1000 / 100 * plan.ITEMS_PER_SHARD)
    least = make(tuple(widths), Budget(disk=10**12)).worker_bytes - sum(widths) * 4 * sites_in_shard
    memory = least + min(256, sum(widths)) * 4 * sites_in_shard + spare
    found = make(tuple(widths), Budget(memory=memory, disk=10**12))
    assert found.to_json()["memory_bytes"] <= memory
    assert found.worker_bytes * found.n_workers <= memory


def test_less_memory_means_fewer_workers() -> None:
    one = make((300,), Budget(disk=10**12)).worker_bytes
    assert make((300,), Budget(memory=10 * one, disk=10**12), workers=4).n_workers == 4
    assert make((300,), Budget(memory=5 * one // 2, disk=10**12), workers=4).n_workers == 2
    assert make((300,), Budget(memory=one, disk=10**12), workers=4).n_workers == 1


def test_baselines_run_the_model_again() -> None:
    assert make((10,), Budget(disk=10**9), baselines=("untrained", "rotation")).passes == 3


def test_budgets_that_are_too_small_say_what_is_needed() -> None:
    with pytest.raises(PlanError) as caught:
        make((1000,), Budget(disk=2 * 1000 * 255))
    assert str(caught.value).startswith("The budgets allow 255 units at a time. Expected: at least 256: about 0.")
    assert str(caught.value).endswith("Raise --memory or --disk, or give a smaller corpus (--max-items).")
    with pytest.raises(PlanError, match=r"allow 0 units at a time. Expected: at least 100: .* 0.20 GB of"):
        make((100,), Budget(disk=1), n_sites=1_000_000)
    with pytest.raises(PlanError, match="allow 0 units"):
        make((100,), Budget(memory=1))


def test_enough_as_told_is_enough() -> None:
    """The memory that the error names, rounded up, lets it run."""
    with pytest.raises(PlanError) as caught:
        make((100,), Budget(memory=1, disk=10**12), n_sites=1_000_000)
    (needed,) = re.findall(r"about ([0-9.]+) GB of memory", str(caught.value))
    make((100,), Budget(memory=round((float(needed) + 0.05) * 1e9), disk=10**12), n_sites=1_000_000)
    with pytest.raises(PlanError):
        make((100,), Budget(memory=round((float(needed) - 0.1) * 1e9), disk=10**12), n_sites=1_000_000)


def test_very_long_items_need_no_larger_budget() -> None:
    found = make_plan(
        study(1000), n_items=100, n_sites=5_000_000, model_bytes=0, folder=Path(), budget=Budget(disk=10**12), workers=1
    )
    assert all(sum(s.stop - s.start for s in part) >= 232 for part in found.rounds)


def test_without_a_budget_the_free_disk_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []

    class Usage:
        free = 2 * 1000 * 300 * 10 // 8

    def usage(folder: Path) -> Usage:
        asked.append(folder)
        return Usage()

    monkeypatch.setattr("shutil.disk_usage", usage)
    found = make_plan(
        study(500), n_items=9, n_sites=1000, model_bytes=0, folder=tmp_path / "no" / "such", budget=Budget(), workers=1
    )
    assert asked == [tmp_path]
    assert [s.stop - s.start for part in found.rounds for s in part] == [256, 244]


def test_a_study_is_read_back() -> None:
    made = study(3, 4, baselines=("rotation",), seed=5, versions={"torch": "2"})
    again = Study.from_json(made.to_json())
    assert again == made
    assert again.key == made.key
    assert made.to_json()["schema"] == plan.SCHEMA


def test_the_schema_enters_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = study(3).key
    monkeypatch.setattr(plan, "SCHEMA", 99)
    assert study(3).key != before


def test_blocks_of_a_round() -> None:
    assert blocks_of([Slice(0, 256, 600), Slice(2, 0, 10)]) == [
        Slice(0, 256, 512),
        Slice(0, 512, 600),
        Slice(2, 0, 10),
    ]
