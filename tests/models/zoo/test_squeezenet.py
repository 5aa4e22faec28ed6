"""SqueezeNet: its file of weights, and what is wrong with others."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from unitscope.errors import ModelError
from unitscope.models import load_model
from unitscope.models.zoo.squeezenet import SqueezeNet


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    state = SqueezeNet().state_dict()
    path = tmp_path / "w.safetensors"
    save_file({name: tensor.half() for name, tensor in state.items()}, path)
    model = load_model("zoo:squeezenet", weights=str(path))
    fires = [layer for layer in model.layers() if layer.role == "block output"]
    assert [layer.width for layer in fires] == [128, 128, 256, 256, 384, 384, 512, 512]
    assert fires[-1].cells == "13x13 cells of 16x16 from 8,8 in 224x224"
    save_file({**state, "more": torch.zeros(1)}, path)
    with pytest.raises(ModelError, match="has 1 tensors that SqueezeNet has not, as 'more'"):
        load_model(f"zoo:squeezenet:{path}")
    save_file({name: tensor for name, tensor in state.items() if name != "features.0.bias"}, path)
    with pytest.raises(ModelError, match=r"lacks 1 tensors of SqueezeNet, as 'features\.0\.bias'"):
        load_model("zoo:squeezenet", weights=str(path))
    save_file({**state, "features.0.bias": torch.zeros(3)}, path)
    with pytest.raises(ModelError, match=r"has the shape \(3,\)\. Expected: \(64,\)"):
        load_model("zoo:squeezenet", weights=str(path))
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(ModelError, match="is no safetensors file"):
        load_model("zoo:squeezenet", weights=str(path))
    with pytest.raises(ModelError, match="needs its weights"):
        load_model("zoo:squeezenet")
