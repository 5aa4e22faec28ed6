"""What causal questions to an atlas begin with: its model with its bases, and the items of its two halves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from unitscope.activations import Activations, origin_of
from unitscope.errors import StoreError
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

    bases = [address for address in layers if "~" in address]
    return with_bases(model, {address: atlas.basis(address) for address in bases}) if bases else model


def halves_of(values: Activations) -> tuple[list[Item], list[Item]]:
    """Items of half A and of half B of an atlas, in order: what is chosen on A is judged on B."""
    assert values.prepared is not None
    items = [item for n in range(values.prepared.n_shards) for item in values.prepared.items(n)]
    side: dict[int, int] = {}
    for item, half in zip(values.sites.item.tolist(), values.halves.half.tolist(), strict=True):
        side.setdefault(item, half)
    found: tuple[list[Item], list[Item]] = ([], [])
    for at, item in enumerate(items):
        if at in side:
            found[side[at]].append(item)
    return found
