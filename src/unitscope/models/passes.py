"""One pass over items: rows are cut and batched by length, run, and their words' values stored in item order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from unitscope.errors import ModelError
from unitscope.models.adapters import SOURCE, TARGET, Batch, Feed
from unitscope.models.base import Captured, LongItems, Resampling
from unitscope.models.capture import read_layers
from unitscope.models.mass import Around, MassTap, plain_attention
from unitscope.models.probe import Tap
from unitscope.models.resample import Gather, covered, places
from unitscope.models.rows import Announced, announced
from unitscope.models.windows import Piece, fit, pieces
from unitscope.sites import Item

Also = Mapping[Resampling, Mapping[str, NDArray[np.int64]]]
Only = Mapping[str, tuple[int, int]]

FULL_ENOUGH, MAX_PADDING = 256, 0.08
"""A batch of this many positions is cut where the next item would raise its padding above this share."""
_COUNTS = ("dropped_words", "truncated_items", "truncated_words", "windowed_items")


class Runnable(Protocol):
    """What a pass needs of a model."""

    module: nn.Module
    feed: Feed

    @property
    def name(self) -> str:
        """Name for errors."""

    def moved(self, batch: Batch) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Arguments of a batch on the module's device."""


class Pass:
    """One call of `TorchModel.run`: rows of results, filled batch by batch."""

    def __init__(
        self, model: Runnable, items: Sequence[Item], taps: Sequence[Tap], resample: Resampling, also: Also, only: Only
    ) -> None:
        self.model, self.items, self.taps, self.resample, self.only = model, items, taps, resample, only
        asked = {str(tap.address) for tap in taps}
        for address in (address for chosen in also.values() for address in chosen):
            if address not in asked:
                raise ModelError(f"'also' names layer '{address}', which is not among the layers asked for.")
        self.grids = tuple(sorted({tap.grid for tap in taps}))
        # A target layer needs the source read as well; a source layer needs no target.
        self.read = (SOURCE, TARGET) if TARGET in self.grids else (SOURCE,)
        self._check_grids()
        self.words = {
            grid: [np.array(item.grids[grid].spans, dtype=np.int64).reshape(-1, 2) for item in items]
            for grid in self.read
        }
        self.offsets = {
            grid: np.concatenate([[0], np.cumsum([len(words) for words in self.words[grid]])]).astype(np.int64)
            for grid in self.read
        }
        self.columns = {
            (str(tap.address), how): torch.from_numpy(np.asarray(chosen[str(tap.address)], dtype=np.int64))
            for how, chosen in also.items()
            for tap in taps
            if str(tap.address) in chosen
        }
        self.values = self._empty()
        self.valid = {grid: np.zeros(self.offsets[grid][-1], dtype=np.bool_) for grid in self.grids}
        self.seen = {str(tap.address): self.valid[tap.grid].copy() for tap in taps if not tap.is_direct}
        self.counts: Counter[str] = Counter(dict.fromkeys(_COUNTS, 0))

    def _check_grids(self) -> None:
        for item in self.items:
            for grid in self.read:
                if grid not in item.grids:
                    fix = "Pair the corpus with targets, or copy the source with --target copy." * (grid == TARGET)
                    raise ModelError(
                        f"Item '{item.id}' has no '{grid}' text, which {self.model.name} reads.",
                        expected=f"items with the grids {', '.join(self.read)}",
                        fix=fix,
                    )

    def _empty(self) -> dict[str, torch.Tensor]:
        values = {}
        for tap in self.taps:
            address, n_sites = str(tap.address), int(self.offsets[tap.grid][-1])
            start, stop = self.only.get(address, (0, tap.width))
            values[address] = torch.zeros(n_sites, stop - start)
            for (asked, how), columns in self.columns.items():
                if asked == address:
                    values[f"{address}|{how}"] = torch.zeros(n_sites, len(columns))
        return values

    def batches(self, batch_size: int, long_items: LongItems) -> Iterator[list[Piece]]:
        """Pieces of about one length (of exactly one, where the module would read padding)."""
        feed = self.model.feed
        found: list[Piece] = []
        rows = {grid: feed.rows(grid, [item.grids[grid] for item in self.items]) for grid in self.read}
        for index in range(len(self.items)):
            counts: dict[str, Counter[str]] = {grid: Counter() for grid in self.read}
            parts = {
                grid: fit(feed, rows[grid][index], self.words[grid][index], long_items, counts[grid])
                for grid in self.read
            }
            self._count(counts)
            found += [
                piece for piece in pieces(index, parts) if any(len(piece.parts[grid].keep) for grid in self.grids)
            ]
        found = [piece for piece in found if all(piece.lengths)]
        found.sort(key=lambda piece: piece.lengths)
        batch: list[Piece] = []
        for piece in found:
            if batch and (len(batch) == batch_size or not _fits(batch, piece, feed.pads)):
                yield batch
                batch = []
            batch.append(piece)
        if batch:
            yield batch

    def _count(self, counts: Mapping[str, Counter[str]]) -> None:
        for key in ("truncated_items", "windowed_items"):
            self.counts[key] += any(count[key] for count in counts.values())
        # Words of a text that no layer asked for is on are nobody's loss.
        self.counts["truncated_words"] += sum(counts[grid]["truncated_words"] for grid in self.grids)

    def forward(self, batch: Sequence[Piece]) -> None:
        """Run one batch and store its words' values."""
        fed = self.model.feed.collate({grid: [piece.parts[grid].row for piece in batch] for grid in self.read})
        gathers: dict[tuple[str, int, int, int], tuple[Gather, torch.Tensor]] = {}

        def sink(tap: Tap, tensor: torch.Tensor) -> None:
            n_outputs = tensor.shape[1]
            key = (tap.grid, tap.stride, -1 if isinstance(tap, MassTap) else tap.offset, n_outputs)
            if key not in gathers:
                gathers[key] = self._gather(batch, covered(fed.spans[tap.grid], tap, n_outputs), tap, tensor.device)
            self._store(tap, tensor, *gathers[key])

        args, kwargs = self.model.moved(fed)
        n_steps = {grid: spans.shape[1] for grid, spans in fed.spans.items()}
        try:
            plain = [tap for tap in self.taps if not isinstance(tap, MassTap)]
            masses = [tap for tap in self.taps if isinstance(tap, MassTap)]
            own = tuple(self.items[piece.item] for piece in batch)
            with announced(Announced(own, fed.spans, max((tap.order for tap in self.taps), default=-1))):
                if plain:
                    read_layers(self.model.module, args, kwargs, plain, sink, n_steps)
                if masses:
                    with plain_attention(self.model.module):
                        read_layers(self.model.module, args, kwargs, masses, sink, n_steps)
        except (RuntimeError, ValueError, IndexError, TypeError) as error:
            first = batch[0]
            more = f" and {len(batch) - 1} more" if len(batch) > 1 else ""
            raise ModelError(
                f"{self.model.name} failed on item '{self.items[first.item].id}' "
                f"({max(first.lengths)} positions){more}: {type(error).__name__}: {error}",
                fix="Leave such items out, or use a smaller batch where memory ran out.",
            ) from error

    def _gather(
        self, batch: Sequence[Piece], spans: NDArray[np.int64], tap: Tap, device: torch.device
    ) -> tuple[Gather, torch.Tensor]:
        words = [self.words[tap.grid][piece.item] for piece in batch]
        keep = [piece.parts[tap.grid].keep for piece in batch]
        where, present = places(spans, words, keep)
        starts = [self.offsets[tap.grid][piece.item] for piece in batch]
        sites = np.concatenate([chosen + start for chosen, start in zip(keep, starts)])[present]
        gather = Gather(where, device)
        if isinstance(tap, MassTap):
            texts = [self.items[piece.item].grids[tap.grid] for piece in batch]
            forms = [self.model.feed.normalise(text.words) for text in texts]
            gather.around = Around(spans, words, forms, np.concatenate(keep)[present][where.words])
        return gather, torch.from_numpy(sites)

    def _store(self, tap: Tap, tensor: torch.Tensor, gather: Gather, sites: torch.Tensor) -> None:
        address = str(tap.address)
        rows = tap.rows(tensor, gather, self.resample, None, self.only.get(address))
        self.values[address].index_copy_(0, sites, rows.to("cpu", torch.float32))
        for (asked, how), columns in self.columns.items():
            if asked == address:
                rows = tap.rows(tensor, gather, how, columns.to(tensor.device), None)
                self.values[f"{address}|{how}"].index_copy_(0, sites, rows.to("cpu", torch.float32))
        present = self.valid[tap.grid] if tap.is_direct else self.seen[address]
        present[sites.numpy()] = True

    def captured(self) -> Captured:
        """Everything stored, with sites that some layer lacks made invalid and zero in all."""
        for grid in self.grids:
            on_grid = [tap for tap in self.taps if tap.grid == grid]
            seen = [self.seen[str(tap.address)] for tap in on_grid if not tap.is_direct]
            if seen:
                direct = [self.valid[grid]] if len(seen) < len(on_grid) else []
                self.valid[grid] = np.logical_and.reduce([*direct, *seen])
                self._clear(on_grid, self.valid[grid])
            missing = int((~self.valid[grid]).sum())
            self.counts["dropped_words"] += missing
        self.counts["dropped_words"] -= self.counts["truncated_words"]
        return Captured(self.values, self.valid, dict(self.counts))

    def _clear(self, taps: Sequence[Tap], valid: NDArray[np.bool_]) -> None:
        for tap in taps:
            for name, values in self.values.items():
                if name.partition("|")[0] == str(tap.address):
                    values[torch.from_numpy(~valid)] = 0


def _fits(batch: Sequence[Piece], piece: Piece, pads: bool) -> bool:
    """Whether a piece, no shorter than those of the batch, may join it: padding must stay cheap, or absent."""
    if not pads:
        return piece.lengths == batch[0].lengths
    real = sum(sum(each.lengths) for each in batch) + sum(piece.lengths)
    padded = (len(batch) + 1) * sum(piece.lengths)
    return real < FULL_ENOUGH or padded <= (1 + MAX_PADDING) * real
