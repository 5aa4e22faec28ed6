"""Every way a folder can be unfit, and the text of its refusal."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

from unitscope.errors import ModelError
from unitscope.models import load_model
from unitscope.models.folders import looks_like_path

Checkpoint = Callable[[str], Path]


def broken(checkpoint: Checkpoint, tmp_path: Path, kind: str = "bert") -> Path:
    return Path(shutil.copytree(checkpoint(kind), tmp_path / kind))


def test_pickled_weights_are_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = broken(checkpoint, tmp_path)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(ModelError, match=r"pickled weights only.*Expected: model.safetensors.*save_pretrained"):
        load_model(str(folder))


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_remote_code_is_refused(checkpoint: Checkpoint, tmp_path: Path, name: str) -> None:
    folder = broken(checkpoint, tmp_path)
    config = json.loads((folder / name).read_text())
    config["auto_map"] = {"AutoModel": "evil.Evil"}
    (folder / name).write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('ran')")
    with pytest.raises(ModelError, match=r"code of its own \(auto_map\), which is not run.*python:module:factory"):
        load_model(str(folder))


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"does not exist. Expected: a folder with config.json, or a hub id"):
        load_model(str(tmp_path / "nowhere"))


def test_missing_files(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = broken(checkpoint, tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).unlink()
    with pytest.raises(ModelError, match=r"has no tokenizer.*tokenizer.save_pretrained"):
        load_model(str(folder))
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has no weights"):
        load_model(str(folder))
    (folder / "config.json").unlink()
    with pytest.raises(ModelError, match=r"has no config.json. Expected: a folder written by save_pretrained"):
        load_model(str(folder))


@pytest.mark.parametrize("content", [b"", b"not safetensors at all", b"\x10\0\0\0\0\0\0\0garbage"])
def test_damaged_weights(checkpoint: Checkpoint, tmp_path: Path, content: bytes) -> None:
    folder = broken(checkpoint, tmp_path)
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"Cannot load model .*Save or download it again"):
        load_model(str(folder))


def test_truncated_weights(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = broken(checkpoint, tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelError, match="Cannot load model"):
        load_model(str(folder))


def test_a_damaged_config(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = broken(checkpoint, tmp_path)
    (folder / "config.json").write_text("{")
    with pytest.raises(ModelError, match=r"Cannot read .*config\.json"):
        load_model(str(folder))


def test_weights_of_another_architecture(checkpoint: Checkpoint, tmp_path: Path) -> None:
    folder = broken(checkpoint, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["num_hidden_layers"] = 5
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"lack 32 tensors of a BertModel, such as 'encoder.layer.3"):
        load_model(str(folder))


def test_an_unreachable_hub_id(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: Any, **kwargs: Any) -> Any:
        raise OSError("We couldn't connect to 'https://huggingface.co'.\nMore lines.")

    monkeypatch.setattr(transformers.PretrainedConfig, "get_config_dict", offline)
    with pytest.raises(ModelError, match=r"Cannot load model 'some/model': We couldn't connect .*Check the id and the"):
        load_model("some/model")


def test_reserved_and_empty_specs() -> None:
    with pytest.raises(ModelError, match="There is no model 'zoo:any'"):
        load_model("zoo:any")
    with pytest.raises(ModelError, match="No model was named"):
        load_model("")
    with pytest.raises(ModelError, match="Got 0 threads"):
        load_model("bert", threads=0)


def test_paths_are_told_from_ids() -> None:
    assert [looks_like_path(spec) for spec in ("./a", "~/a", "/a", "a/b/c", "a/", "a\\b")] == [True] * 6
    assert not looks_like_path("owner/name")
    assert not looks_like_path("bert-base-uncased")
