"""A worker process: tasks as lines of JSON on standard input, an answer a line on standard output.

When its input ends, the parent has nothing more to ask or is gone, and the worker stops at once, in the middle of a
task too: results appear whole or not at all, and nobody waits for this one.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

from unitscope.errors import UnitscopeError
from unitscope.limits import numeric_threads
from unitscope.runners.base import Job


def main(arguments: list[str]) -> NoReturn:
    """Serve the tasks of one work folder until standard input ends."""
    from unitscope.study.execute import Executor

    # Whatever a library prints must not end up among the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    executor = Executor.open(Path(arguments[0]))
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    with numeric_threads(executor.study.threads):
        while True:
            request = json.loads(requests.get())
            answer: dict[str, Any]
            try:
                answer = {"counts": executor.execute(Job(**request["job"]), request["task"])}
            except UnitscopeError as error:
                kind = type(error).__name__
                answer = {"error": error.got, "expected": error.expected, "fix": error.fix, "type": kind}
            answers.write(json.dumps(answer) + "\n")
            answers.flush()


def _listen(requests: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
