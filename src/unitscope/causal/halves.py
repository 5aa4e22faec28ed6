"""What causal questions to an atlas begin with: its model with its bases, and the items of its two halves."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from unitscope.activations import Activations
from unitscope.errors import StoreError
from unitscope.extraction import origin_of
from unitscope.models.address import unpooled
from unitscope.sites import Item

if TYPE_CHECKING:
    from unitscope.atlas import Atlas


def model_of(atlas: Atlas, spec: str | None) -> Any:
    """The model of an atlas, from where it was or from `spec`. Raises StoreError where neither is known."""
    from unitscope.models import load_model

    given = spec or origin_of(atlas).get("model")
    if not given:
        raise StoreError("This atlas does not say where its model is.", fix="Give it with --model.")
    study = atlas.manifest["study"]
    return load_model(given, device=study["device"], threads=study["threads"])


def with_own_bases(atlas: Atlas, model: Any, layers: Sequence[str]) -> Any:
    """The model with those of the atlas' bases that are among its `layers`."""
    from unitscope.models.units import with_bases

    bases = [address for address in map(unpooled, layers) if "~" in address]
    return with_bases(model, {address: atlas.basis(address) for address in bases}) if bases else model


def items_of(values: Activations, labels: Mapping[str, Mapping[str, str]] | None = None) -> list[Item]:
    """All items of an atlas' corpus, in order; with `labels` by item where they are given."""
    assert values.prepared is not None
    items = [item for n in range(values.prepared.n_shards) for item in values.prepared.items(n)]
    return items if labels is None else [replace(item, labels=labels.get(item.id, {})) for item in items]


def labels_of(atlas: Atlas, corpus: str | None) -> dict[str, Mapping[str, str]]:
    """Labels by item, which only the corpus has. Raises StoreError where it is not known where that is."""
    from unitscope.corpora import load_corpus

    origin = origin_of(atlas)
    given = corpus or origin.get("corpus")
    if not given:
        raise StoreError("This atlas does not say where its corpus is.", fix="Give it with --corpus.")
    reading = {name: value for name, value in origin.get("reading", {}).items() if name != "sites"}
    return {item.id: item.labels for item in load_corpus(given, **reading)}


def halves_of(values: Activations, items: Sequence[Item] | None = None) -> tuple[list[Item], list[Item]]:
    """Items of half A and of half B of an atlas, in order: what is chosen on A is judged on B."""
    side: dict[int, int] = {}
    for item, half in zip(values.sites.item.tolist(), values.halves.half.tolist(), strict=True):
        side.setdefault(item, half)
    found: tuple[list[Item], list[Item]] = ([], [])
    for at, each in enumerate(items_of(values) if items is None else items):
        if at in side:
            found[side[at]].append(each)
    return found


def blocks_of(values: Activations, ids: Iterable[str]) -> list[int]:
    """The block of each of some items."""
    block = dict(zip(values.sites.item.tolist(), values.halves.block.tolist(), strict=True))
    index = {name: at for at, name in enumerate(values.item_ids)}
    return [int(block[index[name]]) for name in ids]
