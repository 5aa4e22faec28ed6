"""A worker process: tasks as lines of JSON on standard input, an answer a line on standard output."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from unitscope.errors import UnitscopeError
from unitscope.runners.base import Job


def main(arguments: list[str]) -> int:
    """Serve the tasks of one work folder until standard input ends."""
    from unitscope.study.execute import Executor

    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    executor = Executor.open(Path(arguments[0]))
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"counts": executor.execute(Job(**request["job"]), request["task"])}
        except UnitscopeError as error:
            kind = type(error).__name__
            answer = {"error": error.got, "expected": error.expected, "fix": error.fix, "type": kind}  # type: ignore[dict-item]
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
