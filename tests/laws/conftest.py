"""The small network and corpus of the fault tests, for laws of whole runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

FAULTS = Path(__file__).parents[1] / "faults"


@pytest.fixture(scope="session")
def small_model() -> Iterator[str]:
    """Spec of a network with the layers embed (8 units), mix (12) and out (8)."""
    sys.path.insert(0, str(FAULTS))
    yield "python:small_model:make"
    sys.path.remove(str(FAULTS))


@pytest.fixture(scope="session")
def small_corpus(small_model: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """300 sentences in 60 documents: three shards."""
    import small_model as module

    return str(module.write_corpus(tmp_path_factory.mktemp("corpus") / "small.conllu"))
