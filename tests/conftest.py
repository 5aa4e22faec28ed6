"""What all tests share: repeatable property tests, a tiny model and a tiny corpus, made on the spot."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import settings

settings.register_profile("repeatable", deadline=None, derandomize=True, database=None, max_examples=30)
settings.load_profile("repeatable")

_DETERMINERS = ("the", "a", "this", "every")
_ADJECTIVES = ("old", "red", "quiet", "heavy")
_NOUNS = ("dog", "house", "river", "teacher", "song", "answer", "saw", "walk")
_VERBS = ("answer", "see", "like", "paint", "saw", "walk")
_PRONOUNS = ("she", "they", "it")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a saved BERT with random weights: 2 layers, 16 hidden units, 32 feed-forward neurons, WordPiece."""
    import torch
    import transformers
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers.utils import logging

    words = [*_DETERMINERS, *_ADJECTIVES, *_NOUNS, *_VERBS, *_PRONOUNS, "##s", "##ed", ".", "not", "and"]
    vocabulary = {word: at for at, word in enumerate(dict.fromkeys(["[PAD]", "[UNK]", "[CLS]", "[SEP]", *words]))}
    tokens = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokens.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokens.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokens.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokens, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]"
    )
    tokenizer.model_max_length = 64
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = transformers.AutoModel.from_config(config)
    # Initial weights are so small that the context would hardly tell.
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and "norm" not in name.lower():
                weight.mul_(8)
    folder = tmp_path_factory.mktemp("tiny") / "tinybert"
    logging.disable_progress_bar()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def language_models() -> Any:
    """The module that makes tiny language models."""
    loader = SourceFileLoader("language_models", str(Path(__file__).parent / "language_models.py"))
    module = module_from_spec(spec_from_loader("language_models", loader))
    loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def language_model(language_models: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Folder of a saved language model of a kind: gpt2, llama, llama tied, neox, openai, gemma2."""
    folders: dict[str, Path] = {}

    def get(kind: str) -> Path:
        if kind not in folders:
            folders[kind] = language_models.save(kind, tmp_path_factory.mktemp("lm") / kind.replace(" ", "-"))
        return folders[kind]

    return get


@pytest.fixture(scope="session")
def tiny_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CoNLL-U file of 60 documents of 3 sentences, with upos, feats and deprel; some words are nouns and verbs."""
    draw = random.Random(5)
    lines: list[str] = []
    for document in range(60):
        lines.append(f"# newdoc id = doc{document:02d}")
        for number in range(3):
            words = _sentence(draw)
            lines += [f"# sent_id = doc{document:02d}-{number}", f"# text = {' '.join(form for form, *_ in words)}"]
            lines += [
                f"{at}\t{form}\t{form}\t{upos}\t_\t{feats}\t{0 if deprel == 'root' else 1}\t{deprel}\t_\t_"
                for at, (form, upos, feats, deprel) in enumerate(words, 1)
            ]
            lines.append("")
    path = tmp_path_factory.mktemp("corpus") / "tiny.conllu"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _sentence(draw: random.Random) -> list[tuple[str, str, str, str]]:
    """Words as (form, upos, feats, deprel)."""
    plural = draw.random() < 0.5
    subject = (
        [(draw.choice(_PRONOUNS), "PRON", "PronType=Prs", "nsubj")]
        if draw.random() < 0.3
        else _phrase(draw, plural, "nsubj")
    )
    tense = "Tense=Past" if draw.random() < 0.5 else "Tense=Pres"
    verb = draw.choice(_VERBS)
    words = [*subject, (verb + ("ed" if tense == "Tense=Past" and verb != "saw" else ""), "VERB", tense, "root")]
    if draw.random() < 0.3:
        words.insert(len(subject), ("not", "PART", "_", "advmod"))
    if draw.random() < 0.8:
        words += _phrase(draw, draw.random() < 0.5, "obj")
    return [*words, (".", "PUNCT", "_", "punct")]


def _phrase(draw: random.Random, plural: bool, deprel: str) -> list[tuple[str, str, str, str]]:
    words = [(draw.choice(_DETERMINERS), "DET", "_", "det")]
    if draw.random() < 0.4:
        words.append((draw.choice(_ADJECTIVES), "ADJ", "Degree=Pos", "amod"))
    noun = draw.choice(_NOUNS)
    number = "Number=Plur" if plural else "Number=Sing"
    return [*words, (noun + ("s" if plural else ""), "NOUN", number, deprel)]


@pytest.fixture(scope="session")
def tiny_atlas(tmp_path_factory: pytest.TempPathFactory, tiny_model: Path, tiny_corpus: Path) -> Path:
    """Folder of the tiny model's atlas over the tiny corpus, with both baselines. Not to be changed."""
    import unitscope

    out = tmp_path_factory.mktemp("atlases") / "tiny"
    unitscope.map(
        str(tiny_model),
        str(tiny_corpus),
        out=out,
        layers=["encoder.layer.[01].intermediate", "encoder.layer.[01]", "embeddings.token_type_embeddings"],
        concepts=["upos", "feats", "deprel", "position"],
        measures=["auroc", "average_precision", "iou", "correlation"],
        baselines=["untrained", "rotation"],
        workers=1,
    )
    return out


def _module(name: str) -> ModuleType:
    """A module beside this file that is no test."""
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def site_atlas() -> ModuleType:
    """The module that writes made-up atlases."""
    return _module("site_atlas")


@pytest.fixture(scope="session")
def site_annexes() -> ModuleType:
    """The module that writes made-up rankings, probes and comparisons beside an atlas."""
    return _module("site_annexes")


@pytest.fixture(scope="session")
def cause_annexes() -> ModuleType:
    """The module that writes made-up effects, attributions and steering beside an atlas."""
    return _module("cause_annexes")


@pytest.fixture(scope="session")
def compared_atlas() -> ModuleType:
    """The module that writes atlases whose units detect what one says."""
    return _module("compared_atlas")


@pytest.fixture(scope="session")
def hostile_site(
    tmp_path_factory: pytest.TempPathFactory,
    site_atlas: ModuleType,
    site_annexes: ModuleType,
    cause_annexes: ModuleType,
) -> Path:
    """Folder of the site of a made-up text atlas whose words and names are hostile; the atlas is beside it.

    It has rankings, a probe, comparisons and effects for all of its concepts, an attribution and a steering.
    """
    from unitscope.report.site.export import export

    home = tmp_path_factory.mktemp("hostile-site")
    atlas = site_atlas.write(home / "atlas")
    for annexes in (site_annexes, cause_annexes):
        annexes.write(atlas, [row["concept"] for row in atlas.concepts()])
    export(atlas, home / "site")
    return home / "site"


@pytest.fixture(scope="session")
def image_site(tmp_path_factory: pytest.TempPathFactory, site_atlas: ModuleType) -> Path:
    """Folder of the site of a made-up atlas of images; the atlas is beside it."""
    from unitscope.report.site.export import export

    home = tmp_path_factory.mktemp("image-site")
    atlas = site_atlas.write(home / "atlas", images=True, hostile=False, layers=("features.3",), baselines=())
    export(atlas, home / "site")
    return home / "site"
