"""Check the documentation: run its examples, follow its links, compare its reference with the program.

Every fenced block of `python` and every `$ unitscope ...` line of a `console` block in README.md, CONTRIBUTING.md and
docs/ is run, page by page, in a folder that holds what `check_sample` makes. A line in a console block that is no
command must occur in what the command before it prints; `...` alone stands for anything. The comment on the line above
a block says what else to do:

    <!-- not run: REASON -->    leave it
    <!-- file: NAME -->         save it under that name (any language) and do not run it
    <!-- exits: 2 -->           expect this exit code of the block's last command

Usage: docs/check.py [--page NAME] [--keep]
"""

from __future__ import annotations

import argparse
import doctest
import importlib
import io
import os
import pkgutil
import re
import shlex
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BLOCK = re.compile(r"(?:^<!-- *(?P<note>[^\n]*?) *-->\n)?^```(?P<language>\w*)\n(?P<body>.*?)^```$", re.M | re.S)
LINK = re.compile(r"(?<!!)\[[^\]\[]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)|<img [^>]*src=\"([^\"]+)\"")
HEADING = re.compile(r"^#{1,6} +(.*?) *$", re.M)
PROGRAM = "unitscope"
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false", "COLUMNS": "120", "NO_COLOR": "1"}
ENVIRONMENT |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Block:
    """A fenced block. `line` is that of its first line of content; `note` and `value` the comment above it."""

    page: str
    line: int
    language: str
    body: str
    note: str
    value: str


def pages(root: Path) -> list[Path]:
    """The pages that are checked."""
    top = [root / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    return [path for path in (*top, *sorted((root / "docs").rglob("*.md"))) if path.exists()]


def blocks(text: str, page: str) -> list[Block]:
    """Fenced blocks of a page, in order."""
    found = []
    for match in BLOCK.finditer(text):
        note, _, value = (match["note"] or "").partition(":")
        line = text[: match.start("body")].count("\n") + 1
        found.append(Block(page, line, match["language"], match["body"], note.strip(), value.strip()))
    return found


def commands(body: str) -> Iterator[tuple[str, list[str]]]:
    """Commands of a console block, without the prompt, each with the lines that are shown to follow it."""
    command, shown = "", []
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], []
        elif line.strip() not in ("", "..."):
            shown.append(line)
    if command:
        yield command, shown


def invoke(command: str) -> tuple[int, str]:
    """Run a command of the program in this process. Returns its exit code and all that it printed."""
    from unitscope.cli import app

    words = shlex.split(command)
    if words[0] != PROGRAM:
        return 127, f"not a command of {PROGRAM}; use a block of another language than console"
    printed = io.StringIO()
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            app(words[1:], prog_name=PROGRAM)
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except Exception:
            traceback.print_exc()
            code = 1
    return code, printed.getvalue()


def run_console(block: Block) -> list[str]:
    """Problems of a console block."""
    problems = []
    found = list(commands(block.body))
    for index, (command, shown) in enumerate(found):
        code, printed = invoke(command)
        expected = int(block.value) if block.note == "exits" and index == len(found) - 1 else 0
        if code != expected:
            problems.append(f"'{command}' exits with {code}, not {expected}:\n{printed.strip()}")
        missing = [line for line in shown if line.rstrip() not in printed]
        if missing and code == expected:
            problems.append(f"'{command}' does not print '{missing[0]}' but:\n{printed.strip()}")
    return problems


def run_python(block: Block, names: dict[str, object]) -> list[str]:
    """Problems of a block of Python, run in the page's namespace."""
    printed = io.StringIO()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            # Line numbers of the page in tracebacks.
            exec(compile("\n" * (block.line - 1) + block.body, block.page, "exec"), names)
    except Exception:
        return [traceback.format_exc(limit=-3)]
    return []


def run_page(page: Path, root: Path, sample: Path, keep: bool = False) -> list[str]:
    """Run the blocks of a page, in order, in a folder of its own."""
    name = str(page.relative_to(root))
    found = blocks(page.read_text(encoding="utf-8"), name)
    problems: list[str] = []
    if not any(block.language in ("python", "console") and block.note != "not run" for block in found):
        return problems
    folder = Path(tempfile.mkdtemp(prefix="unitscope-docs-"))
    shutil.copytree(sample, folder, dirs_exist_ok=True)
    names: dict[str, object] = {"__name__": "__main__"}
    before = list(sys.path)
    sys.path[:0] = [str(folder), str(root / "tests")]
    with chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for block in found:
            said: list[str] = []
            if block.note == "file":
                target = Path(block.value)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.body, encoding="utf-8")
                importlib.invalidate_caches()
            elif block.note == "not run":
                continue
            elif block.language == "console":
                said = run_console(block)
            elif block.language == "python":
                said = run_python(block, names)
            problems += [f"{name}:{block.line}: {problem}" for problem in said]
    sys.path[:] = before
    for known, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[known]
    if keep:
        print(f"  kept {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return problems


def anchors(text: str) -> set[str]:
    """Names that headings of a page can be linked by, as GitHub makes them."""
    plain = BLOCK.sub("", text)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in HEADING.findall(plain)}


def broken_links(page: Path, root: Path) -> list[str]:
    """Relative links of a page to files or headings that are not there."""
    text = page.read_text(encoding="utf-8")
    problems = []
    for match in LINK.finditer(BLOCK.sub("", text)):
        link = next(filter(None, match.groups()))
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists():
            problems.append(f"{page.relative_to(root)}: link to '{link}', which is not there")
        elif anchor and target.suffix == ".md" and anchor not in anchors(target.read_text(encoding="utf-8")):
            problems.append(f"{page.relative_to(root)}: link to '{link}': no such heading")
    return problems


def failed_doctests() -> list[str]:
    """Doctests of the package that fail."""
    import unitscope

    problems = []
    for info in pkgutil.walk_packages(unitscope.__path__, "unitscope."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        printed = io.StringIO()
        runner = doctest.DocTestRunner()
        for test in doctest.DocTestFinder(exclude_empty=True).find(module, info.name):
            runner.run(test, out=printed.write)
        if runner.failures:
            problems.append(f"doctest of {info.name}:\n{printed.getvalue().strip()}")
    return problems


def main() -> int:
    """Run all checks. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", help="only this page, by a part of its path")
    parser.add_argument("--keep", action="store_true", help="keep the folders that pages ran in")
    arguments = parser.parse_args()
    os.environ |= ENVIRONMENT
    # A tiny model needs no worker processes, whose start would take most of the time.
    os.cpu_count = lambda: 1
    started = time.monotonic()
    problems: list[str] = []
    with tempfile.TemporaryDirectory() as made:
        import check_reference
        import check_sample

        sample = Path(made)
        check_sample.make(sample)
        for page in pages(ROOT):
            if arguments.page is None or arguments.page in str(page):
                began = time.monotonic()
                problems += broken_links(page, ROOT) + run_page(page, ROOT, sample, arguments.keep)
                print(f"{page.relative_to(ROOT)}: {time.monotonic() - began:.1f} s", file=sys.stderr)
        if arguments.page is None:
            problems += check_reference.undocumented(ROOT, sample / "atlas") + failed_doctests()
    for problem in problems:
        print(problem)
    print(f"{len(problems)} problem(s), {time.monotonic() - started:.0f} s")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
