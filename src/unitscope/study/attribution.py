"""Direct logit attribution: what a unit adds to the logit of the token that really comes next, where it is on.

In a pre-norm decoder the logits are linear in what was written to the stream once the final norm's division is taken
as it was at each position (Elhage et al. 2021, "A mathematical framework for transformer circuits"). With a unit's
value a(t), its direction w, the norm's linear part G and divisor s(t), and the next token's row of the unembedding less
the mean row, u(t), the unit adds

    c(t) = a(t) * (G w . u(t)) / s(t)

to the next token's logit less the mean logit. Summed over all units of all neurons and heads, with the stream before
the first block and the biases, that is the logit itself. Only the direct path counts: what later layers make of the
unit's writing does not.

Positions are the model's own tokens, each with the token that follows it; a text longer than the model takes is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from unitscope.models.base import Layer, Model
from unitscope.sites import Item
from unitscope.store import ArrayFile, read_arrays, write_arrays
from unitscope.study.plan import Slice, Study
from unitscope.study.prepare import Prepared

if TYPE_CHECKING:
    import torch

    from unitscope.models.probe import Tap
    from unitscope.models.readout import Readout
    from unitscope.models.torch import TorchModel

N_TOKENS = 10
Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Ends:
    """Where the units of a layer are on: above `threshold` [U], or below it where `sign` [U] is negative."""

    threshold: NDArray[np.float32]
    sign: NDArray[np.int8]


def pull(read: Readout, stream: torch.Tensor, following: torch.Tensor) -> torch.Tensor:
    """What a unit of writing in each direction adds to the next token's logit less the mean logit, [T, D].

    `stream` [T, D] is what the final norm is given, `following` [T] the token that comes next.
    """
    rows = read.contrast[following] * read.gain
    if read.centred:
        rows = rows - rows.mean(dim=-1, keepdim=True)
    return rows / read.scale(stream)[:, None]


def attribute(
    model: Model, layers: Sequence[Layer], ends: Mapping[str, Ends], items: Sequence[Item], batch_size: int
) -> dict[str, Arrays]:
    """Sums over the positions of some items, for each layer that writes to the stream.

    `sum` [U, 2] of contributions where the unit is off and on, `n` [U, 2] of positions; `unit`, `token`, `part` [n]
    are sums of contributions where the unit is on by unit and next token.
    """
    import torch

    from unitscope.models.readout import directions, readout
    from unitscope.models.torch import TorchModel

    read = readout(model)
    assert isinstance(model, TorchModel)  # no other has a readout
    own = [layer.address for layer in layers if "~" not in layer.address and not layer.pooled_from]
    rows = {address: directions(model, read, address) for address in own}
    weights = {address: found[0] for address, found in rows.items() if found is not None and found[1]}
    sums = {address: _Sums(len(weights[address]), read.n_tokens) for address in weights}
    limits = {
        address: (torch.from_numpy(ends[address].threshold), torch.from_numpy(ends[address].sign < 0))
        for address in weights
    }
    if weights:
        for values, stream, following in positions(model, read, list(weights), items, batch_size):
            pulled = pull(read, stream, following)
            for address, weight in weights.items():
                activation = values[address]
                threshold, falls = (each.to(activation.device) for each in limits[address])
                on = torch.where(falls, activation < threshold, activation > threshold)
                sums[address].add(activation * (pulled @ weight.T), on, following)
    return {address: each.arrays() for address, each in sums.items()}


def positions(
    model: TorchModel, read: Readout, addresses: Sequence[str], items: Sequence[Item], batch_size: int
) -> Any:
    """Batches of positions: values [T, U] by layer, what the final norm is given [T, D], the token that follows [T]."""
    from unitscope.models.capture import read_layers
    from unitscope.models.passes import Pass

    taps = [model.tap(address) for address in (*addresses, f"{read.norm}@in")]
    job = Pass(model, items, taps[-1:], "last", {}, {})
    for batch in job.batches(batch_size, "truncate"):
        fed = model.feed.collate({"source": [piece.parts["source"].row for piece in batch]})
        args, kwargs = model.moved(fed)
        ids, mask = kwargs["input_ids"], kwargs["attention_mask"].bool()
        keep = mask[:, :-1] & mask[:, 1:]
        found: dict[str, torch.Tensor] = {}

        def sink(tap: Tap, tensor: torch.Tensor, keep: Any = keep, found: Any = found) -> None:
            found[str(tap.address)] = tensor.flatten(2)[:, :-1][keep]  # a copy, safe from later changes in place

        if keep.any():
            n_steps = {grid: spans.shape[1] for grid, spans in fed.spans.items()}
            read_layers(model.module, args, kwargs, taps, sink, n_steps)
            yield found, found.pop(str(taps[-1].address)), ids[:, 1:][keep]


class _Sums:
    """Running sums of one layer."""

    def __init__(self, n_units: int, n_tokens: int) -> None:
        self.sum, self.n = np.zeros((n_units, 2)), np.zeros((n_units, 2), np.int64)
        self.n_tokens = n_tokens
        self.codes: list[NDArray[np.int64]] = []
        self.parts: list[NDArray[np.float64]] = []

    def add(self, contribution: torch.Tensor, on: torch.Tensor, following: torch.Tensor) -> None:
        """Contributions [T, U] at positions with the token that follows each, [T]."""
        exact = contribution.double()
        above = (exact * on).sum(dim=0)
        self.sum += np.stack([(exact.sum(dim=0) - above).cpu().numpy(), above.cpu().numpy()], axis=1)
        n_on = on.sum(dim=0).cpu().numpy()
        self.n += np.stack([len(on) - n_on, n_on], axis=1)
        where, unit = on.nonzero(as_tuple=True)
        code = unit * self.n_tokens + following[where]
        codes, index = np.unique(code.cpu().numpy(), return_inverse=True)
        self.codes.append(codes)
        self.parts.append(_added(index, exact[where, unit].cpu().numpy(), len(codes)))

    def arrays(self) -> Arrays:
        """See `attribute`."""
        code = np.concatenate([*self.codes, np.zeros(0, np.int64)])
        codes, part = summed(code, np.concatenate([*self.parts, np.zeros(0)]))
        unit, token = codes // self.n_tokens, codes % self.n_tokens
        return {
            "sum": self.sum,
            "n": self.n,
            "unit": unit.astype(np.int32),
            "token": token.astype(np.int32),
            "part": part,
        }


def summed(code: NDArray[np.int64], part: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Different codes, ascending, and the sum of each one's parts, added in the order given."""
    codes, index = np.unique(code, return_inverse=True)
    return codes, _added(index, part, len(codes))


def _added(index: NDArray[np.intp], part: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    return np.bincount(index, part, minlength=n).astype(np.float64)


def run_attribution(
    study: Study,
    model: Model,
    prepared: Prepared,
    blocks: Sequence[tuple[Slice, Path]],
    folder: Path,
    tick: Callable[[int, int], None],
) -> None:
    """Leave a file for every shard of items in `folder`, those that are there excepted."""
    ends = _ends(study, blocks)
    for shard in range(prepared.n_shards):
        path = folder / f"{shard:05d}.safetensors"
        if not path.exists():
            found = attribute(model, study.layers, ends, prepared.items(shard), study.batch_size)
            write_arrays(path, {f"{a}|{name}": array for a, each in found.items() for name, array in each.items()})
        tick(shard + 1, prepared.n_shards)


def _ends(study: Study, blocks: Sequence[tuple[Slice, Path]]) -> dict[str, Ends]:
    """The end of the scale at which each unit detects, and the threshold there."""
    found: dict[str, list[tuple[NDArray[Any], NDArray[Any]]]] = {layer.address: [] for layer in study.layers}
    for part, path in sorted(blocks, key=lambda each: (each[0].layer, each[0].start)):
        file = ArrayFile(path)
        sign = file.read("sign")[:, 0]
        limits = file.read("threshold")
        threshold = np.where(sign < 0, limits[:, 1], limits[:, 0])
        found[study.layers[part.layer].address].append((threshold.astype(np.float32), sign))
    return {
        address: Ends(np.concatenate([each[0] for each in parts]), np.concatenate([each[1] for each in parts]))
        for address, parts in found.items()
    }


def attribution_tables(
    study: Study, folder: Path, n_shards: int, tokens: Callable[[Sequence[int]], list[str]]
) -> tuple[pyarrow.Table, pyarrow.Table]:
    """Rows of `writes` of the kind `attribution`, and the table `attributions` with a row a unit."""
    shards = [read_arrays(folder / f"{shard:05d}.safetensors")[0] for shard in range(n_shards)]
    writes: list[dict[str, Any]] = []
    units: list[dict[str, Any]] = []
    for layer in study.layers:
        if f"{layer.address}|sum" not in shards[0]:
            continue
        each = [{name: shard[f"{layer.address}|{name}"] for name in _NAMES} for shard in shards]
        total, n = (np.sum([part[name] for part in each], axis=0) for name in ("sum", "n"))
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(n > 0, total / n, np.nan)
        units.append({"layer": layer.address, "mean": mean, "n": n})
        unit = np.concatenate([part["unit"] for part in each]).astype(np.int64)
        token = np.concatenate([part["token"] for part in each])
        width = int(token.max(initial=0)) + 1
        codes, part = summed(unit * width + token, np.concatenate([part["part"] for part in each]))
        value = part / n[codes // width, 1]
        writes.append({"layer": layer.address} | _strongest(codes // width, codes % width, value))
    return _write_rows(writes, tokens), _unit_rows(units)


_NAMES = ("sum", "n", "unit", "token", "part")


def _strongest(unit: NDArray[np.int64], token: NDArray[np.int64], value: NDArray[np.float64]) -> Arrays:
    """Each unit's 10 tokens with the greatest positive and the greatest negative parts, strongest first."""
    sign = np.sign(value).astype(np.int8)
    use = np.flatnonzero(sign)
    order = use[np.lexsort((token[use], -np.abs(value[use]), -sign[use], unit[use]))]
    run = unit[order] * 3 + sign[order]
    starts = np.flatnonzero(np.concatenate([[True], run[1:] != run[:-1]])) if len(run) else np.zeros(0, np.intp)
    rank = np.arange(len(run)) - np.repeat(starts, np.diff(np.append(starts, len(run)))) + 1
    order, rank = order[rank <= N_TOKENS], rank[rank <= N_TOKENS]
    return {"unit": unit[order], "sign": sign[order], "rank": rank, "id": token[order], "value": value[order]}


def _write_rows(parts: Sequence[Mapping[str, Any]], tokens: Callable[[Sequence[int]], list[str]]) -> pyarrow.Table:
    from unitscope.study.writes import lens_table

    layer = [pyarrow.repeat(part["layer"], len(part["unit"])) for part in parts]
    columns = {
        name: np.concatenate([np.zeros(0, np.int64), *(part[name] for part in parts)])
        for name in ("unit", "sign", "rank", "id")
    }
    value = np.concatenate([np.zeros(0), *(part["value"] for part in parts)])
    address = pyarrow.concat_arrays([pyarrow.array([], pyarrow.string()), *layer])
    chance = np.full(len(value), np.nan, np.float32)
    return lens_table("attribution", address, {**columns, "value": value, "chance": chance}, tokens)


def _unit_rows(parts: Sequence[Mapping[str, Any]]) -> pyarrow.Table:
    mean = np.concatenate([np.zeros((0, 2)), *(part["mean"] for part in parts)])
    n = np.concatenate([np.zeros((0, 2), np.int64), *(part["n"] for part in parts)])
    layers = [pyarrow.repeat(part["layer"], len(part["n"])) for part in parts]
    unit = [np.arange(len(part["n"]), dtype=np.int32) for part in parts]
    return pyarrow.table(
        {
            "layer": pyarrow.concat_arrays([pyarrow.array([], pyarrow.string()), *layers]),
            "unit": np.concatenate([np.zeros(0, np.int32), *unit]),
            "n_on": n[:, 1],
            "n_off": n[:, 0],
            "mean_on": pyarrow.array(mean[:, 1], from_pandas=True),
            "mean_off": pyarrow.array(mean[:, 0], from_pandas=True),
        }
    )
