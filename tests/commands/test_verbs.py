from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from unitscope.commands.verbs import add_verb
from unitscope.errors import PlanError


@dataclass(frozen=True)
class Options:
    name: Annotated[str, typer.Argument(metavar="NAME")]
    many: Annotated[list[str], typer.Option()] = field(default_factory=list)
    size: Annotated[int, typer.Option(min=1)] = 3
    fail: Annotated[str, typer.Option()] = ""
    flag: Annotated[bool, typer.Option("--flag")] = False


def run(options: Options) -> None:
    """Do a thing.

    And more.
    """
    if options.fail == "user":
        raise PlanError("Got\x1b[31m 3.", expected="4")
    if options.fail == "stop":
        raise KeyboardInterrupt
    if options.fail == "pipe":
        raise BrokenPipeError
    if options.fail == "bug":
        raise ZeroDivisionError
    typer.echo(repr(options))


def app(resumes: bool = False) -> typer.Typer:
    made = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    add_verb(made, "do", Options, run, resumes=resumes)
    return made


def test_options_arrive_as_the_dataclass() -> None:
    result = CliRunner().invoke(app(), ["x", "--many", "a", "--many", "b", "--size", "5", "--flag"])
    assert result.stdout == f"{Options('x', ['a', 'b'], 5, '', True)!r}\n"
    assert result.exit_code == 0
    assert CliRunner().invoke(app(), ["x"]).stdout == f"{Options('x')!r}\n"


def test_help_is_the_docstring() -> None:
    text = CliRunner().invoke(app(), ["--help"]).stdout
    assert "Do a thing." in text
    assert "And more." in text
    assert "--many" in text


@pytest.mark.parametrize(
    ("arguments", "code", "stderr"),
    [
        (["x", "--fail", "user"], 2, "Error: Got\ufffd[31m 3. Expected: 4.\n"),
        (["x", "--fail", "stop"], 130, "Stopped. \n"),
    ],
)
def test_errors_become_a_line_and_a_code(arguments: list[str], code: int, stderr: str) -> None:
    result = CliRunner().invoke(app(), arguments)
    assert (result.exit_code, result.stderr, result.stdout) == (code, stderr, "")


def test_an_interrupted_command_that_resumes_says_so() -> None:
    result = CliRunner().invoke(app(resumes=True), ["x", "--fail", "stop"])
    assert result.stderr == "Stopped. The same command goes on where this one stopped.\n"
    assert result.exit_code == 130


@pytest.mark.parametrize("arguments", [[], ["x", "--size", "0"], ["x", "--size", "a"], ["x", "--no-such"]])
def test_bad_values_exit_2(arguments: list[str]) -> None:
    result = CliRunner().invoke(app(), arguments)
    assert result.exit_code == 2
    assert "Traceback" not in result.stderr


def test_bugs_are_not_hidden() -> None:
    result = CliRunner().invoke(app(), ["x", "--fail", "bug"])
    assert isinstance(result.exception, ZeroDivisionError)
