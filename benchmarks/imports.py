"""How long the package takes to come up: `import unitscope` and `unitscope --help`, and that neither imports torch.

Wall time of a fresh interpreter less that of an empty one, medians of five. The bounds are absolute: a person waits.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

MUST = {"import_s": 0.1, "help_s": 0.5}
HEAVY = ("torch", "numpy", "numba", "transformers", "pyarrow")


def seconds(code: str, repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def imported(code: str) -> list[str]:
    probe = f"{code}\nimport sys\nprint(','.join(name for name in {HEAVY!r} if name in sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True)
    return [name for name in done.stderr.strip().split(",") if name]


def main() -> int:
    show_help = (
        "import sys\nfrom unitscope.cli import main\nsys.argv = ['unitscope', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    bare = seconds("pass")
    figures = {
        "import_s": round(seconds("import unitscope") - bare, 4),
        "help_s": round(seconds(show_help), 4),
        "interpreter_s": round(bare, 4),
        "heavy": sorted({*imported("import unitscope"), *imported(show_help)}),
    }
    print(f"import unitscope: {figures['import_s']:.3f} s; unitscope --help: {figures['help_s']:.3f} s")
    print(f"heavy imports: {figures['heavy'] or 'none'}")
    print(json.dumps({**figures, "must": MUST, "aim": MUST}))
    return int(bool(figures["heavy"]) or any(figures[name] > bound for name, bound in MUST.items()))


if __name__ == "__main__":
    sys.exit(main())
