"""Translation: what an encoder-decoder writes for a text, beside the reference that the corpus has.

BLEU (Papineni et al. 2002) and chrF (Popović 2015) are sacrebleu's (Post 2018), of the corpus as a whole: each item has
the counts that they are functions of, so leaving out items is a subtraction. Texts are generated in the edited network,
token by token with its cache, greedily or with beams, and never sampled; the loss is that of the reference's tokens,
the one that ends it among them, each after the real ones before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from unitscope.causal.bound import Bound, Floats, Value
from unitscope.causal.targets import hidden_state
from unitscope.causal.tasks.base import Ints, fitting
from unitscope.causal.tasks.checkpoints import whole
from unitscope.edits import Edit
from unitscope.errors import TaskError
from unitscope.models.adapters import SOURCE, TARGET
from unitscope.models.editing import Editable
from unitscope.models.many import batches
from unitscope.models.torch import TorchModel
from unitscope.sites import Item

METRICS = ("bleu", "chrf", "loss")
MOST_NEW = 128


@dataclass(frozen=True)
class Translation:
    """BLEU, chrF (both 0 to 100) or loss (nats a token) of translations of `source` beside `target`.

    `beams` of 1 is greedy. `max_new_tokens` bounds what is written; None is 128, or what the decoder takes where that
    is less. Items too long for the model are left out.
    """

    by: str = "bleu"
    beams: int = 1
    max_new_tokens: int | None = None

    @property
    def name(self) -> str:
        """As the command line takes it."""
        return f"translation:{self.by}{f':{self.beams}' if self.beams > 1 else ''}"

    @property
    def metric(self) -> str:
        """`BLEU`, `chrF` or `loss`."""
        return {"bleu": "BLEU", "chrf": "chrF", "loss": "loss"}[self.by]

    @property
    def rising(self) -> bool:
        """BLEU and chrF are better the greater they are."""
        return self.by != "loss"

    def bound(self, model: Editable, items: Sequence[Item]) -> Bound:
        """See `Task`. Raises TaskError for items without references, and models that do not translate."""
        if not isinstance(model, TorchModel) or TARGET not in model.grids:
            raise TaskError(f"{model.name} does not translate.", expected="an encoder-decoder, as Marian or T5")
        bare = next((item for item in items if TARGET not in item.grids), None)
        if bare is not None:
            raise TaskError(
                f"Item '{bare.id}' has no 'target' text, which is the reference.",
                expected="sentence pairs",
                fix="Give a corpus of pairs: SOURCE,TARGET files, or --columns source=NAME,target=NAME.",
            )
        kept, _ = fitting(model, items, TARGET)
        if not kept:
            raise TaskError("No pair is short enough for the model.", expected=f"{model.feed.max_positions} tokens")
        if self.by == "loss":
            return _loss(model, kept, len(items) - len(kept))
        metric = _metric(self.by)
        writer = Writer(model, self._most(model), self.beams)

        def measure(model: Editable, edits: Sequence[Edit], batch_size: int) -> Floats:
            found = [metric_statistics(metric, writer.texts(kept, edit, batch_size), kept) for edit in edits]
            return np.array(found, np.float64)

        return Bound(tuple(kept), None, len(items) - len(kept), value=corpus_value(metric), measure=measure)

    def _most(self, model: TorchModel) -> int:
        limit = model.feed.max_positions
        if self.max_new_tokens is None:
            return min(MOST_NEW, (limit or MOST_NEW + 1) - 1)
        if self.max_new_tokens < 1 or (limit is not None and self.max_new_tokens >= limit):
            raise TaskError(
                f"Got {self.max_new_tokens} new tokens.",
                expected=f"1 to {limit - 1}, as {model.name} takes" if limit else "1 or more",
            )
        return self.max_new_tokens


def _metric(by: str) -> Any:
    try:
        from sacrebleu.metrics import BLEU, CHRF
    except ImportError as error:
        raise TaskError(
            f"The task 'translation:{by}' needs sacrebleu.", fix="pip install 'unitscope[translation]'"
        ) from error
    return BLEU() if by == "bleu" else CHRF()


def metric_statistics(metric: Any, texts: Sequence[str], items: Sequence[Item]) -> Floats:
    """A metric's counts for each text beside its item's reference, [I, K]."""
    references = [item.grids[TARGET].text for item in items]
    # The counts by segment that sacrebleu adds up for its own tests of significance.
    return np.array(metric._extract_corpus_statistics(list(texts), [references]), np.float64)


def corpus_value(metric: Any) -> Value:
    """The metric of a whole corpus, 0 to 100, from sums of its counts."""

    def value(sums: Floats) -> Floats:
        rows = sums.reshape(-1, sums.shape[-1])
        found = [metric._compute_score_from_stats(np.rint(row).astype(int).tolist()).score for row in rows]
        return np.array(found, np.float64).reshape(sums.shape[:-1])

    return value


class Writer:
    """Texts that an edited encoder-decoder writes. Raises TaskError where it cannot."""

    def __init__(self, model: TorchModel, max_new_tokens: int, beams: int) -> None:
        self.model, self.most, self.beams = model, max_new_tokens, beams
        own: Any = model.module
        # The checkpoint's whole model generates, with the network that edits act on in place of its own.
        self.module = own if hasattr(own, "generate") else grafted(whole(model), own)
        self.tokenizer: Any = getattr(model.adapter, "tokenizer", None)
        if self.tokenizer is None or not hasattr(self.module, "generate"):
            raise TaskError(f"{model.name} writes no text.", expected="a Hugging Face encoder-decoder")

    def texts(self, items: Sequence[Item], edit: Edit, batch_size: int = 32) -> list[str]:
        """What is written for each item under an edit."""
        from unitscope.models.huggingface import quiet

        found = [""] * len(items)
        for indices, _ in batches(self.model, items, batch_size):
            batch = [items[index] for index in indices]
            rows = {SOURCE: self.model.feed.rows(SOURCE, [item.grids[SOURCE] for item in batch])}
            kwargs = self.model.moved(self.model.feed.collate(rows))[1]
            inputs = {name: kwargs[name] for name in ("input_ids", "attention_mask")}
            with self.model.edited(edit, items=batch), torch.no_grad(), quiet():
                ids = self.module.generate(
                    **inputs,
                    max_new_tokens=self.most,
                    num_beams=self.beams,
                    do_sample=False,
                    use_cache=True,
                )
            for index, text in zip(indices, self.tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True):
                found[index] = text.strip()
        return found


def grafted(full: Any, base: nn.Module) -> Any:
    """The whole model with another base network in place of its own. Raises TaskError where they do not fit."""
    inner = getattr(full, full.base_model_prefix, None)
    if type(inner) is type(base):
        setattr(full, full.base_model_prefix, base)
        return full
    for name, part in base.named_children():
        if type(getattr(full, name, None)) is not type(part):
            raise TaskError(f"A {type(full).__name__} cannot be put around a {type(base).__name__}.")
        setattr(full, name, part)
    return full


def _loss(model: TorchModel, kept: Sequence[Item], left_out: int) -> Bound:
    tokenizer: Any = getattr(model.adapter, "tokenizer", None)
    if tokenizer is None:
        raise TaskError(f"{model.name} has no tokenizer.", expected="a Hugging Face encoder-decoder")
    full = model.module if hasattr(model.module, "generate") else whole(model)
    wanted = {item.id: _tokens(tokenizer, item.grids[TARGET].text) for item in kept}

    def read(output: Any, batch: Sequence[Item]) -> list[torch.Tensor]:
        hidden = None if hasattr(output, "logits") else hidden_state(output)
        logits = output.logits if hidden is None else decoded(full, hidden)
        found = []
        for row, item in enumerate(batch):
            own = torch.from_numpy(wanted[item.id]).to(logits.device)
            found.append(torch.nn.functional.cross_entropy(logits[row, : len(own)], own, reduction="none"))
        return found

    return Bound(tuple(kept), read, left_out)


def _tokens(tokenizer: Any, text: str) -> Ints:
    found = tokenizer(text_target=text, truncation=False, verbose=False)["input_ids"]
    return np.array(found, np.int64)


def decoded(full: Any, hidden: torch.Tensor) -> torch.Tensor:
    """Scores [B, T, V] that a whole model makes of its decoder's last hidden state [B, T, D], in its own way."""
    from transformers.modeling_outputs import BaseModelOutputWithPastAndCrossAttentions, Seq2SeqModelOutput

    inner = full.base_model_prefix if hasattr(full, full.base_model_prefix) else "decoder"
    kind = Seq2SeqModelOutput if inner != "decoder" else BaseModelOutputWithPastAndCrossAttentions
    with _giving(full.get_submodule(inner), kind(last_hidden_state=hidden)), torch.no_grad():
        ids = torch.zeros(hidden.shape[:2], dtype=torch.long, device=hidden.device)
        logits: torch.Tensor = full(
            encoder_outputs=(hidden,), attention_mask=torch.ones_like(ids), decoder_input_ids=ids, use_cache=False
        ).logits
    return logits


@contextmanager
def _giving(part: nn.Module, output: Any) -> Iterator[None]:
    """Let a module give an output that is there already."""
    own: dict[str, Any] = vars(part)
    old = {name: own[name] for name in ("forward",) if name in own}
    own["forward"] = lambda *args, **kwargs: output
    try:
        yield
    finally:
        del own["forward"]
        own.update(old)
