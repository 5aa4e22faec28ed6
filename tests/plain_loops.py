"""A corpus whose annotation is known, and plain loops over one sentence at a time: what end-to-end results should be.

Not a test. Nothing here uses the package, so that its reading, batching and resampling can be compared with this.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence

Span = tuple[int, int]
N_DOCUMENTS, PER_DOCUMENT = 60, 5
INVISIBLE = "\u00ad"
"""A word that some tokenizers make nothing of."""


@dataclass(frozen=True)
class Word:
    form: str
    upos: str
    feats: str
    deprel: str


@dataclass(frozen=True)
class Sentence:
    id: str
    group: str
    words: tuple[Word, ...]
    text: str
    spans: tuple[Span, ...]


def sentences(seed: int = 11) -> list[Sentence]:
    """300 sentences in 60 documents; `cat`, `dog`, `tail`, `mats` are nouns and verbs, `long` adjective and adverb."""
    draw = random.Random(seed)
    found = []
    for document in range(N_DOCUMENTS):
        for number in range(PER_DOCUMENT):
            found.append(_sentence(draw, f"d{document:02d}-{number}", f"d{document:02d}"))
    return found


def _sentence(draw: random.Random, id_: str, group: str) -> Sentence:
    plural = draw.random() < 0.5
    words = [*_noun_phrase(draw, plural, "nsubj"), _verb(draw)]
    if draw.random() < 0.4:
        words += _noun_phrase(draw, draw.random() < 0.5, "obj")
    if draw.random() < 0.3:
        words.append(Word(draw.choice(["long", "unbelievably"]), "ADV", "_", "advmod"))
    if draw.random() < 0.3:
        words += [Word("on", "ADP", "_", "case"), *_noun_phrase(draw, False, "obl")]
    if draw.random() < 0.25:
        words += [Word("and", "CCONJ", "_", "cc"), _verb(draw)]
    if draw.random() < 0.2:
        words.insert(draw.randrange(1, len(words)), Word(INVISIBLE, "SYM", "_", "dep"))
    if draw.random() < 0.3:
        words[0] = Word(words[0].form.capitalize(), words[0].upos, words[0].feats, words[0].deprel)
    words.append(Word(".", "PUNCT", "_", "punct"))
    return laid_out(id_, group, words, draw.random() < 0.5)


def _noun_phrase(draw: random.Random, plural: bool, deprel: str) -> list[Word]:
    words = [Word(draw.choice(["the", "a"]), "DET", "_", "det")]
    if draw.random() < 0.4:
        words.append(Word(draw.choice(["long", "naïve", "unbelievable"]), "ADJ", "Degree=Pos", "amod"))
    noun = draw.choice(["cat", "dog", "mat", "tail", "café"])
    return [*words, Word(noun + "s" * plural, "NOUN", "Number=Plur" if plural else "Number=Sing", deprel)]


def _verb(draw: random.Random) -> Word:
    if draw.random() < 0.5:
        return Word(draw.choice(["sat", "ran", "wagged"]), "VERB", "Tense=Past|VerbForm=Fin", "root")
    return Word(draw.choice(["cat", "dog", "mats", "tail"]), "VERB", "Tense=Pres|VerbForm=Fin", "root")


def laid_out(id_: str, group: str, words: Sequence[Word], last_touches: bool = False) -> Sentence:
    """Words with blanks between them, but perhaps before the last."""
    text, spans = "", []
    for at, word in enumerate(words):
        if at and not (last_touches and at == len(words) - 1):
            text += " "
        spans.append((len(text), len(text) + len(word.form)))
        text += word.form
    return Sentence(id_, group, tuple(words), text, tuple(spans))


def write_conllu(path: Path, corpus: Iterable[Sentence]) -> Path:
    lines, group = [], None
    for sentence in corpus:
        if sentence.group != group:
            group = sentence.group
            lines.append(f"# newdoc id = {group}")
        lines.append(f"# sent_id = {sentence.id}")
        for at, word in enumerate(sentence.words):
            touches = at + 1 < len(sentence.words) and sentence.spans[at][1] == sentence.spans[at + 1][0]
            misc = "SpaceAfter=No" if touches else "_"
            head = 0 if word.deprel == "root" else 1
            lines.append(f"{at + 1}\t{word.form}\t_\t{word.upos}\t_\t{word.feats}\t{head}\t{word.deprel}\t_\t{misc}")
        lines.append("")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_pairs(path: Path, sources: Sequence[Sentence], targets: Sequence[Sentence]) -> Path:
    """Sentence pairs, a blank line between documents."""
    lines: list[str] = []
    for at, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if at and source.group != sources[at - 1].group:
            lines.append("")
        lines.append(f"{source.text}\t{target.text}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def holds(concept: str, sentence: Sentence, place: int) -> bool:
    """Whether a concept is at a word, read off the sentence."""
    category, _, value = concept.partition(":")
    word, n = sentence.words[place], len(sentence.words)
    if category == "position":
        bounds = {"first": (0, 0), "second": (1, 1), "third": (2, 2), "4-7": (3, 6), "8-15": (7, 14), "16+": (15, n)}
        low, high = bounds.get(value, (n - 1, n - 1))
        return low <= place <= high
    if category == "words":
        return word.form.lower() == value
    return value in {"upos": [word.upos], "deprel": [word.deprel], "feats": word.feats.split("|")}[category]


# One sentence at a time through the plain model.


def passed(module: nn.Module, addresses: Iterable[str], *args: Any, **kwargs: Any) -> dict[str, list[torch.Tensor]]:
    """What modules gave or (`@in`) were given in one forward, a tensor a call."""
    kept: dict[str, list[torch.Tensor]] = {address: [] for address in addresses}

    def keep(address: str, value: Any) -> None:
        first = value[0] if isinstance(value, tuple) and not isinstance(value, PackedSequence) else value
        kept[address].append(
            pad_packed_sequence(first, True)[0] if isinstance(first, PackedSequence) else first.clone()
        )

    def listen(address: str) -> Any:
        name, _, side = address.partition("@")
        part = module.get_submodule(name)
        if side:
            return part.register_forward_pre_hook(lambda m, inputs: keep(address, inputs))
        return part.register_forward_hook(lambda m, inputs, output: keep(address, output))

    handles = [listen(address) for address in kept]
    with torch.no_grad():
        module(*args, **kwargs)
    for handle in handles:
        handle.remove()
    return kept


def at_word(spans: Sequence[Span], word: Span) -> list[int]:
    """Positions that share a character with a word."""
    mine = set(range(*word))
    return [at for at, (a, b) in enumerate(spans) if mine & set(range(a, b))]


@dataclass
class Rows:
    """Values of words in reading order, found one by one; None where the layer has no position for the word."""

    found: dict[str, list[NDArray[np.float32] | None]]

    def add(self, address: str, states: torch.Tensor, spans: Sequence[Span], words: Sequence[Span], how: str) -> None:
        """`states` [positions, units]; empty spans are no word's."""
        for word in words:
            at = at_word(spans, word)
            chosen = states[at] if at else None
            value = None if chosen is None else (chosen[-1] if how == "last" else chosen.mean(0)).numpy()
            self.found.setdefault(address, []).append(value)

    def valid(self, addresses: Sequence[str]) -> NDArray[np.bool_]:
        """Words for which all of some layers have a position."""
        n = len(self.found[addresses[0]])
        return np.array([all(self.found[address][at] is not None for address in addresses) for at in range(n)])

    def values(self, address: str, valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """[valid words, units]."""
        rows = [row for row, kept in zip(self.found[address], valid, strict=True) if kept]
        return np.stack([row for row in rows if row is not None])


def read_transformer(
    folder: Path,
    addresses: Mapping[str, str],
    sources: Sequence[Sentence],
    targets: Sequence[Sentence] | None = None,
    how: str = "last",
) -> Rows:
    """Words' values in a transformers model; `addresses` give each layer's grid."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(folder).eval()
    rows = Rows({})
    for at, source in enumerate(sources):
        ids, spans = _tokens(tokenizer, source)
        by_grid = {"source": (spans, source)}
        extra = {}
        if model.config.is_encoder_decoder:
            labels, its = _tokens(tokenizer, targets[at]) if targets else ([], [])
            start = model.config.decoder_start_token_id
            extra = {"decoder_input_ids": torch.tensor([[start, *labels[:-1]]])}
            if targets:
                by_grid["target"] = ([(0, 0), *its[:-1]], targets[at])
        seen = passed(model, addresses, torch.tensor([ids]), **extra)
        for address, grid in addresses.items():
            spans, sentence = by_grid[grid]
            rows.add(address, seen[address][0][0], spans, sentence.spans, how)
    return rows


def _tokens(tokenizer: Any, sentence: Sentence) -> tuple[list[int], list[Span]]:
    """Ids, and the characters of each; none for special ones."""
    found = tokenizer(sentence.text, return_offsets_mapping=True, return_special_tokens_mask=True)
    marked = zip(found["offset_mapping"], found["special_tokens_mask"], strict=True)
    return found["input_ids"], [(0, 0) if special else tuple(span) for span, special in marked]


# How many characters, from which on, the middle of what a position sees.
COVERS = {"embed": (0, 1), "same": (0, 1), "pool": (0, 2), "strided": (0, 4), "lstm": (0, 1), "cell": (0, 1)}


def read_characters(
    module: nn.Module, addresses: Sequence[str], sources: Sequence[Sentence], how: str = "last"
) -> Rows:
    """Words' values in one of the networks over characters."""
    rows = Rows({})
    for sentence in sources:
        seen = passed(module, addresses, character_ids(sentence.text)[None])
        for address in addresses:
            calls = seen[address]
            # One row alone: channels come first out of a convolution, and a cell's calls are the positions.
            states = torch.stack([call[0] for call in calls]) if address == "cell" else calls[0][0]
            states = states.T if address in ("same", "pool", "strided") else states
            first, size = COVERS[address]
            spans = [(first + size * j, first + size * (j + 1)) for j in range(len(states))]
            rows.add(address, states, spans, sentence.spans, how)
    return rows


def character_ids(text: str) -> torch.Tensor:
    return torch.tensor([ord(character) % 60 + 1 for character in text])
