import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def check():
    return loaded("check")


@pytest.fixture(scope="module")
def reference():
    return loaded("check_reference")


@pytest.fixture
def run(check, tmp_path):
    """Run a page of this text; its problems."""

    def page(text):
        path = tmp_path / "page.md"
        path.write_text(text, encoding="utf-8")
        sample = tmp_path / "sample"
        sample.mkdir(exist_ok=True)
        return check.run_page(path, tmp_path, sample)

    return page


def fenced(language, body, note=""):
    return f"{note}\n```{language}\n{body}\n```\n"


def test_blocks_share_names_and_run_in_order(run):
    assert run(fenced("python", "x = 1") + fenced("python", "assert x == 1")) == []


def test_a_failing_block_is_told_with_its_line(run):
    (problem,) = run("# Title\n" + fenced("python", "x = 1\nraise ValueError('no')"))
    assert problem.startswith("page.md:4: ")
    assert 'File "page.md", line 5' in problem
    assert "ValueError: no" in problem


def test_files_are_written_and_can_be_imported_by_one_page_only(run):
    file = fenced("python", "ANSWER = 42", "<!-- file: own_module_of_the_page.py -->")
    assert run(file + fenced("python", "import own_module_of_the_page as m\nassert m.ANSWER == 42")) == []
    assert "ModuleNotFoundError" in run(fenced("python", "import own_module_of_the_page"))[0]


def test_blocks_marked_as_not_run_and_other_languages_are_left(run):
    assert run(fenced("python", "1 / 0", "<!-- not run: it cannot -->") + fenced("sh", "false")) == []


def test_commands_must_succeed_and_print_what_is_shown(run):
    assert run(fenced("console", "$ unitscope --version\nunitscope\n...")) == []
    assert "does not print 'something else'" in run(fenced("console", "$ unitscope --version\nsomething else"))[0]
    assert "exits with 2, not 0" in run(fenced("console", "$ unitscope show nowhere"))[0]
    assert "exits with 127" in run(fenced("console", "$ rm -r everything"))[0]


def test_an_expected_exit_code_is_expected(run):
    shown = "$ unitscope show nowhere\nError: 'nowhere' is no atlas"
    assert run(fenced("console", shown, "<!-- exits: 2 -->")) == []
    assert "exits with 0, not 2" in run(fenced("console", "$ unitscope --version", "<!-- exits: 2 -->"))[0]


def test_commands_may_go_on_on_the_next_line(check):
    assert list(check.commands("$ a \\\n  b\nshown\n\n$ c\n")) == [("a    b", ["shown"]), ("c", [])]


def test_links_must_lead_somewhere(check, tmp_path):
    (tmp_path / "other.md").write_text("# A title, with `code`\n", encoding="utf-8")
    page = tmp_path / "page.md"
    good = "[a](other.md) [b](other.md#a-title-with-code) [c](https://example.org) [d](#here)\n\n## Here\n"
    page.write_text(good, encoding="utf-8")
    assert check.broken_links(page, tmp_path) == []
    page.write_text("[a](lost.md) [b](other.md#lost) ![c](lost.svg)", encoding="utf-8")
    assert len(check.broken_links(page, tmp_path)) == 3


def test_what_the_reference_lacks_is_told(reference, tmp_path):
    page = tmp_path / "measures.md"
    page.write_text("## `iou`\n\n`quantile=0.99`, `tail`\n\n## `auroc`\n", encoding="utf-8")
    assert reference.lacks(page, ["quantile", "tail"], "iou") == []
    (problem,) = reference.lacks(page, ["quantile"], "auroc")
    assert problem == "docs/reference/measures.md, section 'auroc' does not name `quantile`"


def test_options_that_no_command_has_are_told(reference, tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "README.md").write_text("`--corpus` and `unitscope map --corpse X`", encoding="utf-8")
    assert reference._unknown_options(tmp_path) == ["README.md names `--corpse`, which no command has"]


def test_the_reference_names_all_commands_and_their_options(reference):
    assert set(reference.verbs()) >= {"map", "show", "layers", "merge", "demo"}
    assert reference._commands(ROOT / "docs" / "reference") == []
    assert reference._commands(ROOT / "nowhere") != []


def test_parts_that_the_page_on_the_design_does_not_name_are_found(reference, tmp_path):
    study = tmp_path / "src" / "unitscope" / "study"
    study.mkdir(parents=True)
    for path in (study / "plan.py", study / "run.py", study / "__init__.py", study.parent / "store.py"):
        path.touch()
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "design.md").write_text("`study/` has `plan`.", encoding="utf-8")
    assert reference._design(tmp_path) == [
        "docs/design.md does not name `run`",
        "docs/design.md does not name `store.py`",
    ]
