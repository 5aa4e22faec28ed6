"""Tiny language models with their output embeddings, saved as their makers save them. Not a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

WORDS = ("the", "a", "old", "red", "dog", "house", "river", "saw", "walk", "she", "they", ".", "not", "and", "see", "s")


def tokenizer() -> Any:
    """Words and letters after blanks, so that most words are of several tokens."""
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    pieces = ["<end>", *(f"Ġ{word}" for word in WORDS), *"abcdefghijklmnopqrstuvwxyzĠ.'-"]
    vocabulary = {piece: number for number, piece in enumerate(dict.fromkeys(pieces))}
    tokens = Tokenizer(models.WordPiece(vocabulary, unk_token="-", continuing_subword_prefix=""))
    tokens.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokens.decoder = decoders.ByteLevel()
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="-", pad_token="<end>", bos_token="<end>", eos_token="<end>"
    )
    made.model_max_length = 64
    return made


def config(kind: str) -> Any:
    import transformers

    n = len(tokenizer())
    small = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": n}
    common = {**small, "bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "max_position_embeddings": 64}
    if kind == "gpt2":
        return transformers.GPT2Config(
            vocab_size=n, n_embd=16, n_layer=2, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=0
        )
    if kind == "neox":
        return transformers.GPTNeoXConfig(**common, intermediate_size=24, tie_word_embeddings=False)
    if kind == "openai":
        return transformers.OpenAIGPTConfig(vocab_size=n, n_embd=16, n_layer=2, n_head=4, n_positions=64)
    shape = {**common, "intermediate_size": 24, "num_key_value_heads": 2, "head_dim": 4}
    if kind == "gemma2":
        return transformers.Gemma2Config(**shape)
    return transformers.LlamaConfig(**shape, tie_word_embeddings=kind == "llama tied")


def build(kind: str) -> Any:
    """gpt2 and `llama tied` read out through their input embedding; llama and neox have heads of their own."""
    import torch
    import transformers

    with torch.random.fork_rng():
        torch.manual_seed(11)
        model = transformers.AutoModelForCausalLM.from_config(config(kind)).eval()
    # Initial weights are so small that little would tell, and norms start as the identity.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                weight.mul_(8)
            elif "norm" in name.lower() or "ln_" in name:
                weight.add_(torch.linspace(-0.5, 0.5, len(weight)))
    return model


def save(kind: str, folder: Path) -> Path:
    from transformers.utils import logging

    logging.disable_progress_bar()
    build(kind).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
