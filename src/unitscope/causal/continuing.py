"""Continuing texts: a decoder writes on from prompts with its cache, under an edit that acts at every step.

Prompts of one length run together, so nothing is padded and a row's text does not depend on its neighbours. Without a
temperature the likeliest token is taken each time. With one, tokens are drawn by adding Gumbel noise to the logits
(Gumbel 1954; Maddison et al. 2014), noise that depends on the seed, the prompt's place among the prompts and the step
alone: the same draws for every edit, so that what differs is the edit's doing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch

from unitscope.causal.targets import hidden_state, token_logits
from unitscope.edits import Edit
from unitscope.errors import AttributionError, ModelError, TaskError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.editing import Editable
from unitscope.models.torch import TorchModel
from unitscope.sites import Item, Text


@dataclass(frozen=True)
class Prompts:
    """Beginnings of texts: `items` that hold the first words alone, `ids` their tokens, `rest` how the texts went on.

    `left_out` counts items of no more words than a prompt has.
    """

    items: tuple[Item, ...]
    ids: tuple[tuple[int, ...], ...]
    rest: tuple[str, ...]
    left_out: int = 0


@dataclass(frozen=True)
class Decoding:
    """How a text is continued: by `n_tokens` at most, greedily, or drawn at a `temperature` above 0 by `seed`."""

    n_tokens: int = 12
    temperature: float = 0.0
    seed: int = 0


GREEDY = Decoding()
_DECODER = "a decoder with an output embedding, such as GPT-2"


def prompts_of(model: Editable, items: Sequence[Item], n_words: int, decoding: Decoding) -> Prompts:
    """The first words of items as prompts.

    Raises TaskError for a model that cannot continue a text, or not by so much, and where no item has more words.
    """
    check_writes(model)
    if n_words < 1 or decoding.n_tokens < 1:
        raise TaskError(
            f"Got prompts of {n_words} words and {decoding.n_tokens} tokens to write.", expected="1 or more of each"
        )
    kept, rest = [], []
    for item in items:
        text: Text | None = item.grids.get(SOURCE)
        if text is not None and text.n_sites > n_words:
            end = text.spans[n_words - 1][1]
            columns = {name: column[:n_words] for name, column in text.columns.items()}
            kept.append(replace(item, grids={SOURCE: Text(text.text[:end], text.spans[:n_words], columns)}))
            rest.append(text.text[end:].strip())
    if not kept:
        raise TaskError(f"No item has more than {n_words} words.", expected="texts longer than the prompts")
    assert isinstance(model, TorchModel)
    rows = model.feed.rows(SOURCE, [item.grids[SOURCE] for item in kept])
    ids = []
    for row in rows:
        numbers = [] if row.ids is None else row.ids[: row.n_positions - row.n_suffix].tolist()
        ids.append(tuple(int(number) for number in numbers))
    longest, most = max(map(len, ids)), model.feed.max_positions
    if most is not None and longest + decoding.n_tokens > most:
        raise TaskError(
            f"A prompt of {longest} tokens and {decoding.n_tokens} to write are {longest + decoding.n_tokens}.",
            expected=f"at most {most}, as {model.name} takes",
            fix="Write fewer tokens, or shorten the prompts.",
        )
    return Prompts(tuple(kept), tuple(ids), tuple(rest), len(items) - len(kept))


def check_writes(model: Editable) -> None:
    """Raise TaskError for a model that cannot continue a text."""
    if not isinstance(model, TorchModel) or not hasattr(model.feed, "tokenizer"):
        raise TaskError(f"{model.name} cannot continue a text.", expected=_DECODER)
    if TARGET in model.grids:
        raise TaskError(f"{model.name} writes another text than it reads.", expected=_DECODER)
    check_head(model)


def check_head(model: Editable) -> None:
    """Raise TaskError for a model without an output embedding."""
    head = getattr(model, "head", None)
    if head is None:
        raise TaskError(f"{model.name} has no output embedding.", expected=_DECODER)
    try:
        token_logits(model, torch.zeros(1, head()[0].shape[1], device=model.device))
    except (AttributionError, ModelError) as error:
        raise TaskError(str(error), expected=_DECODER) from error


def continued(
    model: Editable, prompts: Prompts, edit: Edit, decoding: Decoding, *, batch_size: int = 32
) -> list[list[int]]:
    """Tokens that the model writes after each prompt under an edit; the token that ends a text is not among them."""
    found: list[list[int]] = [[] for _ in prompts.ids]
    with torch.no_grad(), model.edited(edit):
        for members in _batches(prompts.ids, batch_size):
            ids = torch.tensor([prompts.ids[at] for at in members], device=model.device)
            for at, written in zip(members, _written(model, ids, members, decoding), strict=True):
                found[at] = written
    return found


def surprise(
    model: Editable, prompts: Prompts, written: Sequence[Sequence[int]], *, batch_size: int = 32
) -> list[float]:
    """Mean loss in nats that the model as it is has on the tokens written after each prompt; NaN where there are none.

    A greedy text has little of it even where it is bad, since it repeats itself; see `distinct`.
    """
    found = [float("nan")] * len(written)
    whole = [(*prompt, *mine) for prompt, mine in zip(prompts.ids, written, strict=True)]
    with torch.no_grad():
        for members in _batches(whole, batch_size):
            ids = torch.tensor([whole[at] for at in members], device=model.device)
            hidden = hidden_state(_forward(model, ids))
            for row, at in enumerate(members):
                first = len(prompts.ids[at])
                if written[at]:
                    logits = token_logits(model, hidden[row, first - 1 : -1])
                    found[at] = float(torch.nn.functional.cross_entropy(logits, ids[row, first:]))
    return found


def distinct(tokens: Sequence[int]) -> float:
    """Share of pairs of neighbouring tokens that are different pairs (distinct-2, Li et al. 2016); 1 for none.

    >>> distinct([1, 2, 1, 2, 1])
    0.5
    """
    pairs = list(pairwise(tokens))
    return len(set(pairs)) / len(pairs) if pairs else 1.0


def decoded(model: Editable, tokens: Sequence[int]) -> str:
    """Tokens as text."""
    tokenizer: Any = model.feed.tokenizer  # type: ignore[union-attr]
    return str(tokenizer.decode(list(tokens), skip_special_tokens=True)).strip()


def _batches(ids: Sequence[Sequence[int]], batch_size: int) -> Iterator[list[int]]:
    """Indices of rows of one length."""
    by_length: dict[int, list[int]] = {}
    for at, row in enumerate(ids):
        by_length.setdefault(len(row), []).append(at)
    for length in sorted(by_length):
        mine = by_length[length]
        for start in range(0, len(mine), batch_size):
            yield mine[start : start + batch_size]


def _written(model: Editable, ids: torch.Tensor, members: Sequence[int], decoding: Decoding) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in members]
    over = [False] * len(members)
    ends = _ends(model)
    cache: Any = None
    for step in range(decoding.n_tokens):
        output = _forward(model, ids, cache)
        cache = output.past_key_values
        chosen = _chosen(token_logits(model, hidden_state(output)[:, -1]), members, step, decoding)
        for row, token in enumerate(chosen.tolist()):
            over[row] = over[row] or token in ends
            if not over[row]:
                rows[row].append(token)
        if all(over):
            break
        ids = chosen[:, None]
    return rows


def _chosen(logits: torch.Tensor, members: Sequence[int], step: int, decoding: Decoding) -> torch.Tensor:
    if not decoding.temperature:
        return logits.argmax(dim=1)
    noise = [np.random.default_rng((decoding.seed, at, step)).gumbel(size=logits.shape[1]) for at in members]
    drawn = logits / decoding.temperature + torch.from_numpy(np.stack(noise)).to(logits)
    return drawn.argmax(dim=1)


def _forward(model: Editable, ids: torch.Tensor, cache: Any = None) -> Any:
    """The model on rows without padding; with a cache where it is one step of several."""
    module: Any = model.module
    output = module(input_ids=ids, past_key_values=cache, use_cache=True)
    if getattr(output, "past_key_values", None) is None:
        raise TaskError(f"{model.name} keeps no cache to write on from.", expected="a decoder, such as GPT-2")
    return output


def _ends(model: Editable) -> frozenset[int]:
    """Numbers of the tokens that end a text."""
    config = getattr(model.module, "config", None)
    tokenizer = getattr(getattr(model, "feed", None), "tokenizer", None)
    found: set[int] = set()
    for value in (getattr(config, "eos_token_id", None), getattr(tokenizer, "eos_token_id", None)):
        found |= {int(each) for each in (value if isinstance(value, (list, tuple)) else [value]) if each is not None}
    return frozenset(found)
