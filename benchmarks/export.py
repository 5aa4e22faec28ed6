"""How long `unitscope export` takes and how large its site is: a made-up atlas of 12,000 units, 3,000 of them reported.

The atlas has all tables that pages show, with 46 clips a unit of up to 40 words each, and beside it effects of each
unit, an attribution to each and a steering. Bounds are absolute: a person
waits for the site and carries it about. `overview_kb` is the overview without what its charts are drawn from.

Usage: benchmarks/export.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

import cause_annexes
import site_atlas
from unitscope.atlas import Atlas
from unitscope.report.site.export import export

MUST = {"seconds": 60.0, "megabytes": 150.0, "overview_kb": 100.0}
AIM = {"seconds": 30.0, "megabytes": 100.0, "overview_kb": 60.0}
LAYERS = tuple(f"encoder.layer.{i}.intermediate" for i in range(8))


def overview_kb(index: Path) -> float:
    text = index.read_text(encoding="utf-8")
    for charts in (r"<script type=\"application/json\">.*?</script>", r"<noscript>.*?</noscript>"):
        text = re.sub(charts, "", text, flags=re.S)
    return round(len(text.encode()) / 1000, 1)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the units")
    quick = parser.parse_args().quick
    width, reported = (150, 300) if quick else (1500, 3000)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "atlas"
        atlas = site_atlas.write(
            home, layers=LAYERS, width=width, reported=reported, n_concepts=200, n_items=2000, hostile=False
        )
        cause_annexes.write(atlas, [row["concept"] for row in atlas.concepts()[:20]])
        cpu, started = time.process_time(), time.perf_counter()
        done = export(Atlas.open(home), Path(folder) / "site")
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        kb = overview_kb(done.index)
    figures = {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu, 1),
        "megabytes": round(done.n_bytes / 1e6, 1),
        "overview_kb": kb,
        "files": done.files,
        "units": width * len(LAYERS),
        "pages_of_units": done.units,
    }
    print(f"{done.units} pages of units, {done.concepts} of concepts: {done.n_bytes / 1e6:.1f} MB")
    print(f"{seconds:.1f} s, {cpu:.1f} s of processor")
    print(f"overview before charts: {kb} kB")
    print(json.dumps({**figures, "must": MUST, "aim": AIM}))
    return int(not quick and any(figures[name] > bound for name, bound in MUST.items()))


if __name__ == "__main__":
    sys.exit(main())
