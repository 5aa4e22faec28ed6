"""What `unitscope.rankings` offers by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

import unitscope.rankings


def test_every_name_is_there_and_is_a_function() -> None:
    for name in unitscope.rankings.__all__:
        assert callable(getattr(unitscope.rankings, name))
        assert callable(getattr(unitscope.rankings, name))  # also after its module was imported
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = unitscope.rankings.nothing


def test_importing_it_imports_nothing_heavy() -> None:
    program = "import sys, unitscope.rankings; sys.exit(any(m in sys.modules for m in ('torch', 'scipy', 'numba')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
