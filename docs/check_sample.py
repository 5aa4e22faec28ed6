"""What the documentation's examples run on: a tiny model, a tiny translator, small corpora and an atlas.

The names are those used throughout the docs: `my-model`, `my-translator`, `my-decoder`, `corpus.conllu`, `corpus.txt`,
`pairs.tsv`, `atlas` and `decoder-atlas`. Models are random and made on the spot; nothing is downloaded.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

DETERMINERS, ADJECTIVES = ("the", "a", "every"), ("old", "red", "quiet", "heavy")
NOUNS, VERBS = ("dog", "house", "river", "saw", "walk", "answer"), ("walk", "answer", "see", "paint")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
N_DOCUMENTS, N_SENTENCES = 60, 3


def make(folder: Path) -> None:
    """Fill an empty folder."""
    documents = _documents()
    (folder / "corpus.conllu").write_text(_conllu(documents), encoding="utf-8")
    texts = ["\n".join(_text(sentence) for sentence in document) for document in documents]
    (folder / "corpus.txt").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    pairs = ["\n".join(f"{line}\t{line}" for line in text.split("\n")) for text in texts]
    (folder / "pairs.tsv").write_text("\n\n".join(pairs) + "\n", encoding="utf-8")
    _save_models(folder)
    import unitscope

    unitscope.map(
        str(folder / "my-model"),
        str(folder / "corpus.conllu"),
        out=folder / "atlas",
        baselines=["untrained", "rotation"],
        formulas=2,
        ladder=True,
        workers=1,
    )
    unitscope.map(
        str(folder / "my-decoder"),
        str(folder / "corpus.conllu"),
        out=folder / "decoder-atlas",
        layers=["h.1.mlp.act"],
        concepts=["upos"],
        measures=["auroc"],
        attribution=True,
        workers=1,
    )


def _documents() -> list[list[list[tuple[str, str, str, str]]]]:
    draw = random.Random(11)
    return [[_sentence(draw) for _ in range(N_SENTENCES)] for _ in range(N_DOCUMENTS)]


def _sentence(draw: random.Random) -> list[tuple[str, str, str, str]]:
    """Words as (form, upos, feats, deprel)."""
    words = [*_phrase(draw, "nsubj"), (draw.choice(VERBS), "VERB", "VerbForm=Fin", "root")]
    if draw.random() < 0.7:
        words += _phrase(draw, "obj")
    return [*words, (".", "PUNCT", "_", "punct")]


def _phrase(draw: random.Random, relation: str) -> list[tuple[str, str, str, str]]:
    adjective = [(draw.choice(ADJECTIVES), "ADJ", "Degree=Pos", "amod")] if draw.random() < 0.5 else []
    plural = draw.random() < 0.5
    noun = (draw.choice(NOUNS) + "s" * plural, "NOUN", "Number=Plur" if plural else "Number=Sing", relation)
    return [(draw.choice(DETERMINERS), "DET", "_", "det"), *adjective, noun]


def _text(sentence: list[tuple[str, str, str, str]]) -> str:
    return " ".join(form for form, *_ in sentence)


def _conllu(documents: list[list[list[tuple[str, str, str, str]]]]) -> str:
    lines: list[str] = []
    for number, document in enumerate(documents):
        lines.append(f"# newdoc id = doc{number:02d}")
        for sentence in document:
            lines += [
                f"{at}\t{form}\t{form}\t{upos}\t_\t{feats}\t{0 if relation == 'root' else 1}\t{relation}\t_\t_"
                for at, (form, upos, feats, relation) in enumerate(sentence, 1)
            ]
            lines.append("")
    return "\n".join(lines) + "\n"


def _save_models(folder: Path) -> None:
    import torch
    import transformers
    from transformers.utils import logging

    tokenizer = _tokenizer()
    size = len(tokenizer)
    encoder = transformers.BertConfig(
        vocab_size=size,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    translator = transformers.BartConfig(
        vocab_size=size,
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        max_position_embeddings=64,
        pad_token_id=0,
        bos_token_id=2,
        eos_token_id=3,
        decoder_start_token_id=2,
        forced_eos_token_id=3,
    )
    decoder = transformers.GPT2Config(
        vocab_size=size, n_embd=16, n_layer=2, n_head=2, n_positions=64, bos_token_id=2, eos_token_id=3
    )
    logging.disable_progress_bar()
    with torch.random.fork_rng():
        torch.manual_seed(3)
        for name, config in (("my-model", encoder), ("my-translator", translator)):
            model = transformers.AutoModel.from_config(config)
            _enlarge(model)
            model.save_pretrained(folder / name)
            tokenizer.save_pretrained(folder / name)
        language_model = transformers.GPT2LMHeadModel(decoder)
        _enlarge(language_model)
        language_model.save_pretrained(folder / "my-decoder")
        tokenizer.save_pretrained(folder / "my-decoder")


def _enlarge(model: Any) -> None:
    """Initial weights are so small that the context would hardly tell."""
    import torch

    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "norm" not in name.lower():
                weight.mul_(8)


def _tokenizer() -> Any:
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    words = (*SPECIAL, *DETERMINERS, *ADJECTIVES, *NOUNS, *VERBS, "##s", ".")
    tokens = Tokenizer(models.WordPiece({word: at for at, word in enumerate(dict.fromkeys(words))}, unk_token="[UNK]"))
    tokens.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokens.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    tokenizer.model_max_length = 64
    return tokenizer
