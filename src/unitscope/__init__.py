"""unitscope: what the units of a trained network respond to, how sure we may be of it, and what it does without them.

Importing this package imports neither torch nor transformers; they come with the first model.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from unitscope.api import map
    from unitscope.atlas import Atlas
    from unitscope.causal.attribution import attribute
    from unitscope.comparison import compare
    from unitscope.corpora import load_corpus
    from unitscope.errors import UnitscopeError
    from unitscope.models import load_model
    from unitscope.probes.study import probe
    from unitscope.rankings.make import rank

__version__ = "0.1.0"
__all__ = [
    "Atlas",
    "UnitscopeError",
    "__version__",
    "attribute",
    "compare",
    "load_corpus",
    "load_model",
    "map",
    "probe",
    "rank",
]

_HOMES = {
    "Atlas": "unitscope.atlas",
    "UnitscopeError": "unitscope.errors",
    "attribute": "unitscope.causal.attribution",
    "compare": "unitscope.comparison",
    "load_corpus": "unitscope.corpora",
    "load_model": "unitscope.models",
    "map": "unitscope.api",
    "probe": "unitscope.probes.study",
    "rank": "unitscope.rankings.make",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'unitscope' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)
