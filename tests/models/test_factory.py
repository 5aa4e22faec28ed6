from __future__ import annotations

import sys
from pathlib import Path

import pytest

from unitscope.errors import ModelError
from unitscope.models import load_model
from unitscope.sites import Item, Text

CODE = """
import torch
from torch import nn
from unitscope.models import Encoded

class Bytes:
    pads = False
    def encode(self, texts):
        ids = torch.tensor([[ord(c) % 32 for c in text.text] for text in texts])
        return Encoded(spans=[[(i, i + 1) for i in range(len(text.text))] for text in texts], args=(ids,))

def build():
    module = nn.Sequential(nn.Embedding(32, 4), nn.Linear(4, 3)).double()
    module.adapter = Bytes()
    return module

def pair():
    return build(), Bytes()

def bare():
    return nn.Linear(1, 1)

def number():
    return 3

def fails():
    raise KeyError("weights")
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "my_networks.py").write_text(CODE)
    (tmp_path / "broken_networks.py").write_text("1 / 0")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)
    return "my_networks"


@pytest.mark.parametrize("factory", ["build", "pair"])
def test_a_factory_in_the_current_folder(module: str, factory: str) -> None:
    path = list(sys.path)
    model = load_model(f"python:{module}:{factory}")
    assert sys.path == path
    assert model.name == f"my_networks:{factory}"
    assert [(layer.address, layer.width) for layer in model.layers()] == [("0", 4), ("1", 3)]
    captured = model.run([Item("a", "g", {"source": Text.from_words(["ab", "c"])})], model.resolve(["1"]))
    assert captured.values["1"].shape == (2, 3)
    assert model.normalise(["Ab"]) == ["Ab"]
    assert model.n_subwords(["abc", "d"]) == [3, 1]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("nowhere:build", r"No module 'nowhere' to import.*Run from the folder that holds it"),
        ("my_networks", r"Cannot read 'python:my_networks'. Expected: python:pkg.module:factory"),
        ("my_networks:biuld", r"has no function 'biuld'. Closest: 'build'"),
        ("my_networks:bare", r"returned a Linear without 'adapter'. Expected: a torch.nn.Module with an attribute"),
        ("my_networks:number", r"returned a int\. Expected"),
        ("my_networks:fails", r"'my_networks:fails' failed: KeyError: 'weights'"),
        ("broken_networks:build", r"Importing 'broken_networks' failed: ZeroDivisionError"),
    ],
)
def test_refusals(module: str, path: str, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        load_model(f"python:{path}")


def test_a_transformers_model_with_its_tokenizer(module: str, tmp_path: Path) -> None:
    (tmp_path / "my_bert.py").write_text(
        "import transformers\n"
        "from tokenizers import Tokenizer, models, pre_tokenizers\n"
        "def build():\n"
        "    tok = Tokenizer(models.WordLevel({'a': 0, '?': 1}, unk_token='?'))\n"
        "    tok.pre_tokenizer = pre_tokenizers.Whitespace()\n"
        "    config = transformers.BertConfig(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,"
        " intermediate_size=8)\n"
        "    return transformers.BertModel(config), transformers.PreTrainedTokenizerFast(tokenizer_object=tok)\n"
    )
    model = load_model("python:my_bert:build")
    assert [layer.role for layer in model.resolve(["encoder.layer.0"])] == ["hidden state"]
