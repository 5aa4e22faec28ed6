"""Small models with random weights, and tokenizers built by hand: all that the models' tests need, offline."""

from __future__ import annotations

from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers.utils import logging

from unitscope.sites import Item, Text

SENTENCES = [
    ("The cat sat on the mat .", None),
    ("A dog 's tail , unbelievably long , wagged .", {1: False, 2: True, 3: False}),
    ("Naïve café owners 😀 ran", None),
    ("Yes", None),
    ("The unbelievable cats and the naïve dog sat and sat and ran .", {10: False}),
]


@pytest.fixture(scope="session")
def networks() -> Any:
    """The module of small networks that read characters."""
    loader = SourceFileLoader("characters", str(Path(__file__).parent.parent / "networks" / "characters.py"))
    module = module_from_spec(spec_from_loader("characters", loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def items() -> list[Item]:
    """Sentences of several lengths, with words that touch, accents, and characters beyond the vocabulary."""
    found = []
    for index, (sentence, gaps) in enumerate(SENTENCES):
        words = sentence.split()
        after = [(gaps or {}).get(place, True) for place in range(len(words))]
        found.append(Item(f"s{index}", "g", {"source": Text.from_words(words, space_after=after)}))
    return found


@pytest.fixture(scope="session")
def pairs(items: list[Item]) -> list[Item]:
    """The same sentences, each with another as its target."""
    targets = [*items[2:], *items[:2]]
    return [
        Item(item.id, item.group, {"source": item.grids["source"], "target": other.grids["source"]})
        for item, other in zip(items, targets)
    ]


def wordpiece() -> Any:
    words = ["the", "cat", "##s", "sat", "on", "mat", ".", ",", "a", "dog", "'", "s", "tail", "un", "##believ"]
    words += ["##able", "##ably", "long", "wag", "##ged", "na", "##ive", "cafe", "ran", "and", "yes"]
    vocabulary = {word: at for at, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words])}
    tok = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tok, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )


def byte_bpe(*, trim: bool = True, special: bool = False, side: str = "right") -> Any:
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "<pad>", "</s>", "<unk>"],
        show_progress=False,
    )
    tok.train_from_iterator([sentence for sentence, _ in SENTENCES], trainer)
    if special:
        tok.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), trim_offsets=trim)
    else:
        tok.post_processor = processors.ByteLevel(trim_offsets=trim)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tok, unk_token="<unk>", pad_token="<pad>", eos_token="</s>", bos_token="<s>", padding_side=side
    )


def unigram(*, eos: bool = True) -> Any:
    pieces = ["▁", "▁the", "▁The", "▁cat", "s", "▁sat", "▁on", "▁mat", ".", "▁.", ",", "▁a", "▁A", "▁dog", "'", "▁un"]
    pieces += ["believ", "able", "ably", "▁long", "▁ran", "▁and", "▁Yes", "e", "o", "w", "n", "r", "na", "caf", "t"]
    vocabulary = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), *((piece, -2.0 - len(piece) / 10) for piece in pieces)]
    tok = Tokenizer(models.Unigram(vocabulary, unk_id=2))
    tok.normalizer = normalizers.NFKC()
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    if eos:
        tok.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 1)])
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tok, unk_token="<unk>", pad_token="<pad>", eos_token="</s>"
    )


def _bert() -> tuple[Any, Any]:
    config = transformers.BertConfig(
        vocab_size=30, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, intermediate_size=24
    )
    config.max_position_embeddings = 64
    return config, wordpiece()


def _roberta() -> tuple[Any, Any]:
    config = transformers.RobertaConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=34,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
    )
    return config, byte_bpe(special=True)


def _gpt2() -> tuple[Any, Any]:
    config = transformers.GPT2Config(
        vocab_size=300, n_embd=16, n_layer=3, n_head=4, n_positions=64, bos_token_id=0, eos_token_id=2
    )
    return config, byte_bpe(trim=False, side="left")


def _llama() -> tuple[Any, Any]:
    config = transformers.LlamaConfig(
        vocab_size=40,
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    return config, unigram(eos=False)


def _fnet() -> tuple[Any, Any]:
    config = transformers.FNetConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        intermediate_size=24,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=1,
    )
    return config, wordpiece()


def _t5() -> tuple[Any, Any]:
    config = transformers.T5Config(
        vocab_size=40, d_model=16, d_kv=4, d_ff=24, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    return config, unigram()


def _marian() -> tuple[Any, Any]:
    config = transformers.MarianConfig(
        vocab_size=40,
        d_model=16,
        encoder_layers=2,
        decoder_layers=2,
        encoder_attention_heads=4,
        decoder_attention_heads=2,
        encoder_ffn_dim=24,
        decoder_ffn_dim=20,
        max_position_embeddings=64,
        pad_token_id=0,
        eos_token_id=1,
        forced_eos_token_id=1,
        decoder_start_token_id=0,
        bos_token_id=None,
    )
    return config, unigram()


def _albert() -> tuple[Any, Any]:
    config = transformers.AlbertConfig(
        vocab_size=30,
        embedding_size=8,
        hidden_size=16,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=24,
        max_position_embeddings=64,
    )
    return config, wordpiece()


_KINDS = {
    "bert": _bert,
    "roberta": _roberta,
    "gpt2": _gpt2,
    "llama": _llama,
    "fnet": _fnet,
    "t5": _t5,
    "marian": _marian,
    "albert": _albert,
}


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a saved model of a kind: bert, roberta, gpt2, llama, fnet, t5, marian, albert."""
    folders: dict[str, Path] = {}

    def save(kind: str) -> Path:
        if kind not in folders:
            config, tokenizer = _KINDS[kind]()
            tokenizer.model_max_length = 64
            with torch.random.fork_rng():
                torch.manual_seed(7)
                model = transformers.AutoModel.from_config(config)
            # Initial weights are so small that layers barely differ; larger ones make the oracle's comparison tell.
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    if weight.dim() > 1 and "norm" not in name.lower():
                        weight.mul_(8)
            folder = tmp_path_factory.mktemp("models") / kind
            logging.disable_progress_bar()
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            folders[kind] = folder
        return folders[kind]

    return save
