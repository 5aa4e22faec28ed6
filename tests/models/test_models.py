from __future__ import annotations

import subprocess
import sys


def test_importing_the_package_loads_no_framework() -> None:
    code = (
        "import sys, unitscope.models; print([m for m in ('torch', 'transformers', 'tokenizers') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
