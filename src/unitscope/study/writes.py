"""What a unit writes: the tokens whose logits a layer's units raise and lower most, with what chance gives.

A unit's *lens* is its direction in the residual stream through the linear part of the final norm and the output
embedding, less the mean over the vocabulary (nostalgebraist 2020; Elhage et al. 2021; for feed-forward neurons Geva et
al. 2022, "Transformer feed-forward layers build predictions by promoting concepts in the vocabulary space"). Any
direction promotes some token most, so beside each value stands what one in twenty random directions of the same length
exceeds at the same rank. It is a statement of weights alone: no corpus is read, and later layers may do with the
direction what they like.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from unitscope.atlas import write_arrow
from unitscope.errors import ModelError
from unitscope.models.base import Model
from unitscope.store import read_arrays, write_arrays
from unitscope.study.plan import Study
from unitscope.study.pooling import base_layer

if TYPE_CHECKING:
    import torch

    from unitscope.models.readout import Readout

N_TOKENS = 10
N_DIRECTIONS = 500
CHANCE = 0.95
_ROWS = 4_000_000
Arrays = dict[str, NDArray[Any]]


def lens(read: Readout, directions: torch.Tensor, *, normed: bool = True, seed: int = 0) -> Arrays:
    """The tokens that directions [U, D] raise and lower most.

    `normed`: the final norm is still ahead of them. `token` [U, 20] has 10 raised tokens, then 10 lowered ones,
    strongest first; `value` [U, 20] their logits less the mean over tokens, for one unit of activation and before the
    norm's division; `chance` [U, 20] the value that one in twenty random directions exceeds at that rank.
    """
    import torch

    k = min(N_TOKENS, read.n_tokens)
    with torch.inference_mode():
        folded = read.fold(directions) if normed else directions
        step = max(1, _ROWS // read.n_tokens)
        parts = [_extremes(part @ read.contrast.T, k) for part in torch.split(folded, step)]
        tokens, values = (torch.cat([part[i] for part in parts]) for i in (0, 1))
        length = directions.norm(dim=-1).cpu().numpy()
    chance = length[:, None] * chance_level(read, k, normed=normed, seed=seed)[None]
    signs = np.repeat([1, -1], k)
    return {
        "token": tokens.cpu().numpy().astype(np.int32),
        "value": values.cpu().numpy().astype(np.float32),
        "chance": (np.tile(chance, 2) * signs).astype(np.float32),
    }


def _extremes(logits: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    high, low = logits.topk(k, dim=1), logits.topk(k, dim=1, largest=False)
    return torch.cat([high.indices, low.indices], dim=1), torch.cat([high.values, low.values], dim=1)


def chance_level(read: Readout, k: int, *, normed: bool, seed: int) -> NDArray[np.float64]:
    """What the k greatest logits of one in twenty random directions of length 1 exceed, by rank, [k]."""
    key = (k, normed, seed)
    if key not in read.chance:  # the same for all layers
        read.chance[key] = _chance_level(read, k, normed, seed)
    level: NDArray[np.float64] = read.chance[key]
    return level


def _chance_level(read: Readout, k: int, normed: bool, seed: int) -> NDArray[np.float64]:
    import torch

    draw = np.random.default_rng([seed, 2]).normal(size=(N_DIRECTIONS, len(read.gain))).astype(np.float32)
    draw /= np.linalg.norm(draw, axis=1, keepdims=True)
    with torch.inference_mode():
        random = torch.from_numpy(draw).to(read.gain.device)
        folded = read.fold(random) if normed else random
        step = max(1, _ROWS // read.n_tokens)
        # The opposite of a random direction is as random: its greatest logits are the lowest, mirrored.
        tops = [_extremes(part @ read.contrast.T, k)[1] for part in torch.split(folded, step)]
        values = torch.cat(tops).cpu().numpy()
    both = np.concatenate([values[:, :k], -values[:, k:]])
    found: NDArray[np.float64] = np.quantile(both.astype(np.float64), CHANCE, axis=0)
    return found


def lens_of(model: Model) -> tuple[str, str]:
    """Fingerprint of a model's readout, or an empty string and why it has none."""
    from unitscope.models.readout import readout

    try:
        return readout(model).fingerprint(), ""
    except ModelError as error:
        return "", str(error)


def lens_note(study: Study, model: Model) -> dict[str, Any]:
    """What the manifest says of the lens: whether there is one, and why not, or what it leaves out."""
    from unitscope.models.readout import readout

    if study.lens:
        return {"lens": True, "why": readout(model).why}
    return {"lens": False, "why": lens_of(model)[1] or "It was not asked for."}


def write_layers(study: Study, model: Model, folder: Path, tick: Callable[[int, int], None]) -> None:
    """Leave a file of `lens` for every layer of the study in `folder`, those that are there excepted."""
    from unitscope.models.readout import directions, readout

    read = readout(model)
    for index, layer in enumerate(study.layers):
        path = _file(folder, index)
        if not path.exists():
            found = directions(model, read, base_layer(layer).address)  # type: ignore[arg-type]
            none = read.gain.new_zeros(0, len(read.gain))
            rows, normed = (none, True) if found is None else found
            write_arrays(path, lens(read, rows, normed=normed, seed=study.seed))
        tick(index + 1, len(study.layers))


def write_writes(study: Study, model: Model, folder: Path, attributed: Path, n_shards: int, atlas: Path) -> None:
    """Write the tables of what units write, layer by layer, from what was left in `folder` and `attributed`."""
    texts: Callable[[Sequence[int]], list[str]] = model.token_texts  # type: ignore[attr-defined]
    found = {index: read_arrays(_file(folder, index))[0] for index in range(len(study.layers))}
    table = write_rows(study, found, texts)
    if study.attribution:
        from unitscope.study.attribution import attribution_tables

        rows, units = attribution_tables(study, attributed, n_shards, texts)
        write_arrow(atlas / "attributions.parquet", units)
        table = pyarrow.concat_tables([table, rows])
        order = {layer.address: index for index, layer in enumerate(study.layers)}
        at = np.array([order[address] for address in table.column("layer").to_pylist()], np.int32)
        table = table.combine_chunks().take(pyarrow.array(np.argsort(at, kind="stable")))
    write_arrow(atlas / "writes.parquet", table)


def _file(folder: Path, layer: int) -> Path:
    return folder / f"{layer:03d}.safetensors"


def write_rows(
    study: Study, found: Mapping[int, Arrays], tokens: Callable[[Sequence[int]], list[str]]
) -> pyarrow.Table:
    """The table of what units write. `found` has the arrays of `lens` by layer; `tokens` turns numbers into text."""
    parts: dict[str, list[Any]] = {name: [] for name in ("layer", "unit", "sign", "rank", "id", "value", "chance")}
    for index in sorted(found):
        arrays = found[index]
        n_units, n = arrays["token"].shape
        k = n // 2
        parts["layer"].append(np.full(n_units * n, index, np.int32))
        parts["unit"].append(np.repeat(np.arange(n_units, dtype=np.int32), n))
        parts["sign"].append(np.tile(np.repeat([1, -1], k).astype(np.int8), n_units))
        parts["rank"].append(np.tile(np.arange(1, k + 1, dtype=np.int32), 2 * n_units))
        for name, key in (("id", "token"), ("value", "value"), ("chance", "chance")):
            parts[name].append(arrays[key].reshape(-1))
    columns = {name: np.concatenate(arrays) for name, arrays in parts.items()}
    addresses = pyarrow.array([layer.address for layer in study.layers], pyarrow.string())
    return lens_table("lens", addresses.take(pyarrow.array(columns["layer"])), columns, tokens)


def lens_table(
    kind: str, layer: pyarrow.Array, columns: Mapping[str, NDArray[Any]], tokens: Callable[[Sequence[int]], list[str]]
) -> pyarrow.Table:
    """Rows of the table `writes` of one kind; `columns` has `unit`, `sign`, `rank`, `id`, `value`, `chance`."""
    used, where = np.unique(columns["id"], return_inverse=True)
    texts = [each.encode("utf-8", "replace").decode("utf-8") for each in tokens(used.tolist())]
    return pyarrow.table(
        {
            "layer": layer,
            "unit": columns["unit"].astype(np.int32),
            "kind": pyarrow.repeat(kind, len(where)),
            "sign": columns["sign"].astype(np.int8),
            "rank": columns["rank"].astype(np.int32),
            "token": pyarrow.array(texts, pyarrow.string()).take(pyarrow.array(where.reshape(-1))),
            "token_id": columns["id"].astype(np.int32),
            "value": columns["value"].astype(np.float32),
            "chance": pyarrow.array(columns["chance"].astype(np.float32), from_pandas=True),
        }
    )
