"""Small checkpoints with heads of their own, and items with classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers.utils import logging

from unitscope.sites import Item, Text

WORDS = ("the", "a", "old", "red", "dog", "house", "river", "saw", "walk", "she", "they", ".", "not", "and", "see")


def _letters() -> Any:
    """Words, and letters for others."""
    pieces = ["<pad>", "</s>", "<unk>", *(f"▁{word}" for word in WORDS), "▁", *"abcdefghijklmnopqrstuvwxyz."]
    vocabulary = [(piece, -1.0 if len(piece) > 2 else -6.0) for piece in dict.fromkeys(pieces)]
    tokens = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tokens.pre_tokenizer = pre_tokenizers.Metaspace()
    tokens.decoder = decoders.Metaspace()
    tokens.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="<unk>", pad_token="<pad>", eos_token="</s>"
    )
    made.model_max_length = 48
    return made


def _config(kind: str, n: int) -> Any:
    if kind == "t5":
        return transformers.T5Config(
            vocab_size=n, d_model=16, d_kv=4, d_ff=24, num_layers=2, num_heads=4, decoder_start_token_id=0
        )
    return transformers.MarianConfig(
        vocab_size=n,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=20,
        max_position_embeddings=48,
        pad_token_id=0,
        eos_token_id=1,
        forced_eos_token_id=None,
        decoder_start_token_id=0,
        bos_token_id=None,
    )


def louder(model: Any) -> None:
    """Initial weights are so small that little would tell."""
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "norm" not in name.lower():
                weight.mul_(8)


@pytest.fixture(scope="session")
def translator(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a whole encoder-decoder with random weights: marian or t5."""
    folders: dict[str, Path] = {}

    def save(kind: str) -> Path:
        if kind not in folders:
            tokenizer = _letters()
            with torch.random.fork_rng():
                torch.manual_seed(9)
                model = transformers.AutoModelForSeq2SeqLM.from_config(_config(kind, len(tokenizer)))
            louder(model)
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if weight.dim() > 1 and "encoder_attn" in name:
                        weight.mul_(4)
                    if "embed_positions" in name:
                        weight.div_(8)  # these are not saved
            folders[kind] = tmp_path_factory.mktemp("translators") / kind
            logging.disable_progress_bar()
            model.save_pretrained(folders[kind])
            tokenizer.save_pretrained(folders[kind])
        return folders[kind]

    return save


@pytest.fixture(scope="session")
def classifier(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path) -> Callable[[str], Path]:
    """Folder of the tiny model with a random head: SequenceClassification or TokenClassification."""
    folders: dict[str, Path] = {}
    names = {"SequenceClassification": ("Bad", "Good", "Odd"), "TokenClassification": ("DET", "NOUN", "VERB")}

    def save(kind: str) -> Path:
        if kind not in folders:
            config = transformers.AutoConfig.from_pretrained(tiny_model)
            config.id2label = dict(enumerate(names[kind]))
            config.label2id = {name: at for at, name in enumerate(names[kind])}
            with torch.random.fork_rng():
                torch.manual_seed(5)
                model = getattr(transformers, f"AutoModelFor{kind}").from_config(config)
            louder(model)
            folders[kind] = tmp_path_factory.mktemp("classifiers") / kind
            logging.disable_progress_bar()
            model.save_pretrained(folders[kind])
            transformers.AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folders[kind])
        return folders[kind]

    return save


@pytest.fixture(scope="session")
def labelled() -> list[Item]:
    """Sixty sentences with a label of the word they are about, words of a class each, and a reference."""
    draw, made = np.random.default_rng(0), []
    for n in range(60):
        kind = ("dog", "house", "river")[n % 3]
        words = [*draw.choice(["the", "a", "old", "red", "saw"], 2 + n % 3).tolist(), kind, "."]
        target = [str(each) for each in draw.permutation(words)]
        grids = {"source": Text.from_words(words), "target": Text.from_words(target)}
        made.append(Item(f"s{n}", f"g{n // 2}", grids, {"kind": kind, "good": ("good", "bad")[n % 2], "n": str(n % 7)}))
    return made
