"""`unitscope.rank`: units ranked by a method, from an atlas or from activations, and kept beside the atlas.

>>> import unitscope
>>> rankings = unitscope.rank("atlas", by="probeless", concepts="upos")  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from unitscope.activations import Activations
from unitscope.annex import check_name
from unitscope.atlas import Atlas
from unitscope.compared.sides import split_spec
from unitscope.errors import RankingError
from unitscope.extraction import Tick, activations_of
from unitscope.rankings import kept
from unitscope.rankings.asked import Half, Method, Question, Source
from unitscope.rankings.base import Ranking
from unitscope.rankings.methods import parse_method

if TYPE_CHECKING:
    from unitscope.corpora.base import Corpus
    from unitscope.models.base import Model


def rank(
    of: Atlas | Activations | str | Path,
    *,
    by: str | Method,
    concepts: str | None = None,
    concept: str | Sequence[str] = (),
    layers: Sequence[str] = (),
    half: Half | None = None,
    seed: int = 0,
    name: str | None = None,
    others: Sequence[Atlas | Activations | str | Path] = (),
    model: str | Model | None = None,
    corpus: str | Corpus | None = None,
    tick: Tick = lambda what, done, total: None,
) -> tuple[Ranking, ...]:
    """Rank units of an atlas (or its folder), or of activations in memory. One ranking a target.

    `by` is a method or its spec, such as `probeless:standardise=true` or `auroc`. `concepts` is a category such as
    `upos`: one ranking a class and one for `all`; `concept` one concept or several, each for itself. `layers` are
    addresses or globs. `half` is which sites are used: `a`, `b`, `all`, or None for what the method uses by itself
    (half A for what is fitted to sites). `others` are atlases (or `FOLDER[@BASELINE][:GLOB]`) or activations of other
    models on the same corpus, for methods that compare models; `FOLDER@untrained` is a copy with fresh weights. With a
    `name` the rankings are kept beside the atlas. `model` and `corpus` are needed where the atlas does not know where
    they are and values of units are to be taken.

    Raises RankingError where the question makes no sense or nothing can be ranked, StoreError where atlas, model or
    corpus cannot be read.
    """
    question = Question(concepts, (concept,) if isinstance(concept, str) else tuple(concept), tuple(layers), half, seed)
    opened = Atlas.open(of) if isinstance(of, str | Path) else of
    atlas = opened if isinstance(opened, Atlas) else None
    if name is not None and atlas is None:
        raise RankingError("Got a name, but no atlas to keep rankings beside.", fix="Leave the name out.")
    if name is not None:
        check_name(name)
    method = parse_method(by, tuple(atlas.manifest["measures"]) if atlas else ()) if isinstance(by, str) else by

    def read() -> Activations:
        if not isinstance(opened, Atlas):
            return opened
        return activations_of(opened, layers=question.layers, model=model, corpus=corpus, tick=tick)

    source = Source(question, atlas, read, _others(others, tick), tick)
    rankings = tuple(method.rank(source))
    if name is not None and atlas is not None:
        kept.save(atlas, name, rankings, source.tables)
    return rankings


def _others(others: Sequence[Atlas | Activations | str | Path], tick: Tick) -> dict[str, Callable[[], Activations]]:
    """How to read each other model, by the name of its folder; names that are taken get a number."""
    found: dict[str, Callable[[], Activations]] = {}
    for i, each in enumerate(others, 1):
        if isinstance(each, Activations):
            found[f"activations {i}"] = partial(_itself, each)
            continue
        atlas, variant, layers = (each, "trained", ()) if isinstance(each, Atlas) else _opened(str(each))
        name = atlas.path.resolve().name + (f"@{variant}" if variant != "trained" else "")
        found[name if name not in found else f"{name} {i}"] = partial(
            activations_of, atlas, layers=layers, concepts=(), variant=variant, tick=tick
        )
    return found


def _opened(text: str) -> tuple[Atlas, str, tuple[str, ...]]:
    """An atlas, variant and layers from `FOLDER[@BASELINE][:GLOB]`."""
    folder, variant, glob = split_spec(text)
    return Atlas.open(folder), variant or "trained", (glob,) if glob else ()


def _itself(activations: Activations) -> Activations:
    return activations


def default_name(by: str, question: Question, others: Sequence[str] = ()) -> str:
    """Name of a file of rankings: the method, what it ranks for, and what was not left as it is.

    >>> default_name("probeless:standardise=true", Question("upos"))
    'probeless-standardise=true.upos'
    """
    parts = [by.replace(":", "-").replace(",", "-").replace("/", "-")]
    if question.category:
        parts.append(question.category)
    parts += [each.replace(":", "=").replace(" ", "_") for each in question.concepts]
    parts += [f"in-{each}" for each in question.layers]
    parts += [f"with-{Path(each).name}" for each in others]
    if question.half:
        parts.append(f"half-{question.half}")
    if question.seed:
        parts.append(f"seed-{question.seed}")
    name = ".".join(parts)
    return "".join(c if c.isalnum() or c in "_.+=-" else "_" for c in name)[:100]
