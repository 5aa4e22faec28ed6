"""Whose a work folder is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from unitscope.errors import StoreError
from unitscope.store import read_json, write_json
from unitscope.study.claim import LOCK, MARK, PREPARED, claimed, clear
from unitscope.study.plan import Study

STUDY = Study("m", "w", "c", "h", (), (), ())
OTHER = Study("m", "w", "c", "h", (), (), (), seed=1)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    return tmp_path / "atlas.partial"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_claim_marks_the_folder_and_keeps_what_is_in_it(work: Path) -> None:
    with claimed(work, STUDY):
        (work / PREPARED).mkdir()
    assert read_json(work / MARK)["key"] == STUDY.key
    assert Study.from_json(read_json(work / MARK)["study"]) == STUDY
    before = (work / MARK).stat().st_mtime_ns
    with claimed(work, STUDY):
        assert (work / PREPARED).exists()
    assert (work / MARK).stat().st_mtime_ns == before


def test_half_written_files_are_deleted_wherever_they_are(work: Path) -> None:
    with claimed(work, STUDY):
        (work / "spool" / "a").mkdir(parents=True)
        for name in (".x.safetensors.17.tmp", "x.safetensors"):
            (work / "spool" / "a" / name).write_bytes(b"1")
    with claimed(work, STUDY):
        assert names(work / "spool" / "a") == {"x.safetensors"}


def test_work_of_another_study_is_refused_once_a_corpus_is_prepared(work: Path) -> None:
    with claimed(work, STUDY):
        (work / PREPARED).mkdir()
    with (
        pytest.raises(StoreError, match=r"'atlas.partial' holds the unfinished work of another run"),
        claimed(work, OTHER),
    ):
        pass
    assert read_json(work / MARK)["key"] == STUDY.key


def test_a_claim_without_work_gives_way_to_another_study(work: Path) -> None:
    with claimed(work, STUDY):
        (work / "prepared.tmp").mkdir()
    with claimed(work, OTHER):
        assert names(work) == {MARK, LOCK}
        assert read_json(work / MARK)["key"] == OTHER.key


def test_what_a_finished_run_left_gives_way_to_any_study(work: Path) -> None:
    for study in (STUDY, OTHER):
        with claimed(work, STUDY):
            (work / PREPARED).mkdir()
        write_json(work / MARK, {"key": STUDY.key, "finished": True})
        with claimed(work, study):
            assert names(work) == {MARK, LOCK}
            assert read_json(work / MARK)["key"] == study.key
        clear(work)


def test_clearing_leaves_nothing(work: Path) -> None:
    with claimed(work, STUDY):
        (work / "spool").mkdir()
        (work / "spool" / "x").write_text("x")
        clear(work)
        assert not work.exists()
    clear(work)
    assert not work.exists()


def test_nothing_is_deleted_from_a_folder_that_no_run_has_marked(work: Path) -> None:
    work.mkdir()
    (work / "thesis.txt").write_text("x")
    clear(work)
    with (
        pytest.raises(StoreError, match=r"'atlas.partial' is in the way: unfinished work would go there, but it is no"),
        claimed(work, STUDY),
    ):
        raise AssertionError
    assert names(work) == {"thesis.txt"}


def test_a_link_in_the_folder_is_deleted_not_what_it_points_to(work: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "x").write_text("x")
    with claimed(work, STUDY):
        (work / "link").symlink_to(tmp_path / "precious")
        clear(work)
    assert (tmp_path / "precious" / "x").exists()
    assert not work.exists()


def test_one_run_at_a_time(work: Path) -> None:
    pytest.importorskip("fcntl")
    with claimed(work, STUDY):
        for study in (STUDY, OTHER):
            with (
                pytest.raises(StoreError, match=r"Another run is at work in 'atlas.partial'. Wait for it, stop it"),
                claimed(work, study),
            ):
                pass
    with claimed(work, STUDY):
        pass


def test_the_lock_ends_with_its_process(work: Path) -> None:
    pytest.importorskip("fcntl")
    code = (
        "import os, sys; from pathlib import Path; from unitscope.study import claim, plan\n"
        "with claim.claimed(Path(sys.argv[1]), plan.Study('m', 'w', 'c', 'h', (), (), ())): os._exit(0)"
    )
    path = os.pathsep.join(sys.path)
    subprocess.run([sys.executable, "-c", code, str(work)], check=True, env={**os.environ, "PYTHONPATH": path})
    with claimed(work, STUDY):
        assert (work / MARK).exists()


def test_a_kill_before_the_mark_does_not_bar_the_next_run(work: Path) -> None:
    work.mkdir()
    (work / LOCK).touch()
    (work / f".{MARK}.17.tmp").write_text("{")
    with claimed(work, STUDY):
        assert names(work) == {MARK, LOCK}
