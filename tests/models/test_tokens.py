"""Tokens and their characters: fast tokenizers' offsets, slow tokenizers' stretches, padding, cutting, windows."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from unitscope.models import load_model
from unitscope.models.adapters import SOURCE, TARGET, Adapter, Feed, Row
from unitscope.models.resample import overlaps
from unitscope.models.tokens import TokenFeed
from unitscope.sites import Item, Text

Checkpoint = Callable[[str], Path]
ACCEPTS = ("input_ids", "attention_mask")


def feed(tokenizer: Any, **options: Any) -> TokenFeed:
    return TokenFeed(tokenizer, ACCEPTS, n_vocabulary=30, **options)


def loaded(checkpoint: Checkpoint, kind: str) -> Any:
    return transformers.AutoTokenizer.from_pretrained(checkpoint(kind))


def pieces(tokenizer: Any, row: Row, text: Text) -> dict[str, list[str]]:
    """Tokens of each word."""
    found: dict[str, list[str]] = {word: [] for word in text.words}
    tokens = tokenizer.convert_ids_to_tokens([int(token) for token in row.ids])
    for word, position in zip(*overlaps(row.spans, np.array(text.spans))):
        found[text.words[word]].append(tokens[position])
    return found


def test_it_is_an_adapter_and_a_feed(checkpoint: Checkpoint) -> None:
    one = feed(loaded(checkpoint, "bert"))
    assert isinstance(one, Adapter)
    assert isinstance(one, Feed)
    encoded = one.encode([Text.from_words(["the", "cats"]), Text.from_words(["a"])])
    assert encoded.kwargs["input_ids"].tolist() == [[2, 4, 5, 6, 3], [2, 12, 3, 0, 0]]
    assert encoded.kwargs["attention_mask"].tolist() == [[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]]
    assert encoded.spans.tolist()[1] == [[0, 0], [0, 1], [0, 0], [0, 0], [0, 0]]


def test_words_that_touch(checkpoint: Checkpoint) -> None:
    tokenizer = loaded(checkpoint, "bert")
    text = Text.from_words(["dog", "'s", "un", "believable"], space_after=[False, True, False, True])
    (row,) = feed(tokenizer).rows(SOURCE, [text])
    assert pieces(tokenizer, row, text) == {
        "dog": ["dog"],
        "'s": ["'", "s"],
        "un": ["un"],
        "believable": ["##believ", "##able"],
    }
    assert (row.n_prefix, row.n_suffix) == (1, 1)


def test_a_token_over_two_words_belongs_to_both(checkpoint: Checkpoint) -> None:
    tokenizer = loaded(checkpoint, "gpt2")
    text = Text.from_words(["The", "c", "at"], space_after=[True, False, True])
    (row,) = feed(tokenizer).rows(SOURCE, [text])
    found = pieces(tokenizer, row, text)
    assert found["c"][-1] == found["at"][0]


def test_characters_of_several_tokens_and_leading_blanks(checkpoint: Checkpoint) -> None:
    for kind in ("gpt2", "roberta"):
        tokenizer = loaded(checkpoint, kind)
        text = Text.from_words(["The", "😀x", "cat"])
        (row,) = feed(tokenizer).rows(SOURCE, [text])
        found = pieces(tokenizer, row, text)
        assert found["cat"][0].startswith("Ġ")
        assert len(found["😀x"]) in (5, 6)  # four bytes and a letter; a blank that shares the emoji's first token
        assert found["😀x"][-1] == "x"


@pytest.fixture(scope="module")
def marian(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Marian's own tokenizer, which is slow, with two tiny sentencepiece models."""
    spm = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    folder = tmp_path_factory.mktemp("spm")
    texts = {
        "source": ["The cat sat on the mat .", "A dog's tail , unbelievably long .", "the cats and the dogs ran"],
        "target": ["Die Katze sass auf der Matte .", "Ein Hund , unglaublich lang .", "die Katzen und Hunde"],
    }
    vocabulary = ["</s>", "<unk>"]
    for name, lines in texts.items():
        (folder / f"{name}.txt").write_text("\n".join(lines * 3))
        spm.SentencePieceTrainer.train(
            input=str(folder / f"{name}.txt"),
            model_prefix=str(folder / name),
            vocab_size=60,
            hard_vocab_limit=False,
            minloglevel=2,
        )
        model = spm.SentencePieceProcessor(model_file=str(folder / f"{name}.model"))
        vocabulary += [model.id_to_piece(at) for at in range(model.get_piece_size())]
    names = {piece: at for at, piece in enumerate(dict.fromkeys([*vocabulary, "<pad>"]))}
    (folder / "vocab.json").write_text(json.dumps(names))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a further package that is only recommended
        return transformers.MarianTokenizer(
            source_spm=str(folder / "source.model"),
            target_spm=str(folder / "target.model"),
            vocab=str(folder / "vocab.json"),
        )


def test_a_slow_tokenizer_by_stretches(marian: Any) -> None:
    assert not marian.is_fast
    one = feed(marian, decoder_start=1)
    text = Text.from_words(["The", "dog", "'s", "cats", ",", "zzz"], space_after=[True, False, True, False, True, True])
    (row,) = one.rows(SOURCE, [text])
    assert row.ids is not None
    assert row.ids.tolist() == marian(text.text)["input_ids"]
    found = pieces(marian, row, text)
    for word in ("The", "dog", "'s", "cats", ","):
        assert "".join(found[word]).replace("▁", "") == word
    assert found["zzz"]
    target = Text.from_words(["die", "Katzen"])
    (forced,) = one.rows(TARGET, [target])
    assert forced.ids is not None
    assert forced.ids.tolist() == [1, *marian(text_target=target.text)["input_ids"][:-1]]
    assert "".join(pieces(marian, forced, target)["Katzen"]).replace("▁", "") == "Katzen"


def test_a_slow_tokenizer_in_a_model(marian: Any, pairs: list[Item], tmp_path: Path) -> None:
    config = transformers.MarianConfig(
        vocab_size=len(marian),
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=24,
        decoder_ffn_dim=24,
        pad_token_id=marian.pad_token_id,
        eos_token_id=0,
        forced_eos_token_id=0,
        decoder_start_token_id=marian.pad_token_id,
    )
    transformers.utils.logging.disable_progress_bar()
    transformers.MarianModel(config).save_pretrained(tmp_path)
    marian.save_pretrained(tmp_path)
    model = load_model(str(tmp_path))
    captured = model.run(pairs, model.resolve(["encoder.layers.0", "decoder.layers.0"]), batch_size=2)
    assert captured.valid["source"].all()
    assert captured.valid["target"].all()
    plain = transformers.MarianModel.from_pretrained(tmp_path).eval()
    text = pairs[0].grids["source"]
    with torch.no_grad():
        state = plain.encoder(torch.tensor([marian(text.text)["input_ids"]])).last_hidden_state[0]
    # The sentence ends in a full stop of its own, the last position before the end of the text.
    torch.testing.assert_close(captured.values["encoder.layers.0"][text.n_sites - 1], state[-2], rtol=1e-5, atol=1e-6)


def test_a_slow_tokenizer_that_writes_blanks() -> None:
    tokenizer = transformers.CanineTokenizer()
    one = feed(tokenizer)
    text = Text.from_words(["ab", "c"])
    (row,) = one.rows(SOURCE, [text])
    assert row.ids is not None
    assert row.ids.tolist() == tokenizer(text.text)["input_ids"]
    assert row.spans.tolist() == [[0, 0], [0, 1], [1, 2], [2, 3], [3, 4], [0, 0]]


def test_targets_are_shifted_right(checkpoint: Checkpoint) -> None:
    tokenizer = loaded(checkpoint, "t5")
    one = TokenFeed(tokenizer, (*ACCEPTS, "decoder_input_ids"), n_vocabulary=30, decoder_start=0)
    text = Text.from_words(["The", "cat"])
    (source,), (target,) = one.rows(SOURCE, [text]), one.rows(TARGET, [text])
    assert source.ids is not None
    assert target.ids is not None
    assert target.ids.tolist() == [0, *source.ids[:-1].tolist()]
    assert target.spans.tolist() == [[0, 0], *source.spans[:-1].tolist()]
    assert (source.n_suffix, target.n_prefix, target.n_suffix) == (1, 1, 0)
    batch = one.collate({SOURCE: [source]})
    assert batch.kwargs["decoder_input_ids"].tolist() == [[0]]
    assert set(batch.spans) == {SOURCE}


def test_cutting_keeps_special_tokens_and_spans(checkpoint: Checkpoint) -> None:
    one = feed(loaded(checkpoint, "bert"))
    text = Text.from_words(["the", "cats", "sat", "on"])
    (row,) = one.rows(SOURCE, [text])
    part = one.cut(row, (1, 3), (1, 4))
    assert part.ids is not None
    assert part.ids.tolist() == [2, 5, 6, 7, 3]
    assert part.spans.tolist() == [[0, 0], [4, 7], [7, 8], [9, 12], [0, 0]]


@pytest.mark.parametrize(
    ("kind", "limit", "edges"), [("roberta", 32, 2), ("gpt2", 64, 0), ("bert", 64, 2), ("t5", 64, 1)]
)
def test_windows_fit_the_network(checkpoint: Checkpoint, kind: str, limit: int, edges: int) -> None:
    """Every window's values are those of the tokens read alone between the special ones."""
    words = [f"{a}{b}" for a in ("cat", "dog", "the", "mat") for b in ("s", "ged", "able", "long", "un", "ran")] * 2
    item = Item("long", "g", {"source": Text.from_words(words)})
    model = load_model(str(checkpoint(kind)))
    block = {"roberta": "encoder.layer.1", "gpt2": "h.1", "bert": "encoder.layer.1", "t5": "encoder.block.1"}[kind]
    seen: list[torch.Tensor] = []
    layers = model.resolve([block])
    model.module.register_forward_pre_hook(  # type: ignore[attr-defined]
        lambda m, args, kwargs: seen.append(kwargs["input_ids"]), with_kwargs=True
    )
    captured = model.run([item], layers, batch_size=1)
    assert captured.counts["windowed_items"] == 1
    assert captured.valid["source"].all()
    assert len(seen) > 1
    assert max(ids.shape[1] for ids in seen) <= limit
    assert min(ids.shape[1] for ids in seen) > limit // 2
    full = loaded(checkpoint, kind)(item.grids["source"].text)["input_ids"]
    body = full[1 : len(full) - 1] if edges == 2 else full[: len(full) - edges]
    for ids in seen:
        inner = ids[0].tolist()
        inner = inner[1:-1] if edges == 2 else inner[: len(inner) - edges]
        assert any(body[at : at + len(inner)] == inner for at in range(len(body)))
    cut = model.run([item], layers, long_items="truncate")
    n_valid = int(cut.valid["source"].sum())
    assert 0 < n_valid < len(words)
    assert cut.valid["source"][:n_valid].all()
    assert cut.counts["truncated_words"] == len(words) - n_valid


def test_long_targets_in_windows(checkpoint: Checkpoint) -> None:
    words = ["The", "cats", "ran", "on"] * 15
    item = Item("a", "g", {"source": Text.from_words(words[:5]), "target": Text.from_words(words)})
    both = Item("b", "g", {"source": Text.from_words(words), "target": Text.from_words(words[:5])})
    model = load_model(str(checkpoint("t5")))
    layers = model.resolve(["encoder.block.1", "decoder.block.1"])
    captured = model.run([item, both], layers)
    assert captured.valid["source"].all()
    assert captured.valid["target"].all()
    assert captured.counts["windowed_items"] == 2
    assert not (captured.values["decoder.block.1"] == 0).all(1).any()
    cut = model.run([item, both], model.resolve(["decoder.block.1"]), long_items="truncate")
    assert cut.counts["truncated_items"] == 2
    assert cut.counts["truncated_words"] == int((~cut.valid["target"]).sum())
    assert cut.counts["dropped_words"] == 0
