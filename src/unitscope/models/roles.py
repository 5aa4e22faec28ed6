"""What a layer's units are, where names and classes of modules tell: hidden states, neurons, heads, embeddings.

A feed-forward layer's neurons are what its last projection is given (`mlp.down_proj@in`: after the nonlinearity and
the gate), or the output of the module that holds its first half (`intermediate` of BERT and its kin). Attention
heads are what the attention's output projection is given, split evenly. A role is a hint for tables and defaults;
nothing is computed from it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from unitscope.models.probe import Tap

HIDDEN, NEURONS, HEADS = "hidden state", "feed-forward neurons", "attention heads"
EMBEDDING, RECURRENT = "embedding", "recurrent state"

_BLOCK = re.compile(r"(?:[^\d]*\.)?(?:layer|layers|h|block|blocks)\.\d+|.*\.albert_layers\.\d+")
_STREAM_ENDS = re.compile(
    r"(?:.*\.)?(?:embeddings|drop|layernorm_embedding|ln_f|ln_out|norm_f|final_norm|final_layer_?norm)|(?:[^\d]*\.)?norm"
)
_NEURONS_OUT = re.compile(r".*\d.*\.intermediate|.*\.mlp\.act")
_NEURONS_IN = re.compile(
    r".*(?:\.(?:down_proj|dense_4h_to_h|fc2|lin2|ffn_output|linear2|fc_out|w2|ff\.layer_2)|DenseReluDense\.wo|mlp\.[Ww]o)"
)
_HEADS_IN = re.compile(
    r".*(?:\.attention\.output\.dense|(?:attn|attention|Attention)\.(?:o_proj|out_proj|c_proj|o|Wo|dense|out_lin))"
)
_N_HEADS = ("num_attention_heads", "num_heads", "n_heads", "n_head", "nhead")


@dataclass(frozen=True)
class Role:
    """A layer's role, and the number of heads its units split into (0: none)."""

    name: str = ""
    n_heads: int = 0


def roles(module: nn.Module, taps: Mapping[str, Tap]) -> dict[str, Role]:
    """Roles of those taps that are recognised, by address."""
    parts = dict(module.named_modules())
    found = {}
    for address, tap in taps.items():
        role = _role(tap, parts)
        if role is not None:
            found[address] = role
    return found


def _role(tap: Tap, parts: Mapping[str, nn.Module]) -> Role | None:
    name, part = tap.address.module, parts[tap.address.module]
    if tap.address.element:
        return None
    if tap.address.side == "in":
        if _HEADS_IN.fullmatch(name):
            n_heads = _n_heads(name, parts)
            return Role(HEADS, n_heads) if n_heads and tap.width % n_heads == 0 else None
        return Role(NEURONS) if _NEURONS_IN.fullmatch(name) and not _has_neurons_out(name, parts) else None
    if isinstance(part, (nn.RNNBase, nn.RNNCellBase)):
        return Role(RECURRENT)
    if isinstance(part, nn.Embedding):
        return Role(EMBEDDING)
    if _NEURONS_OUT.fullmatch(name):
        return Role(NEURONS) if _is_neurons_out(name, parts) else None
    if _BLOCK.fullmatch(name):
        parent = parts[name.rpartition(".")[0]]
        return Role(HIDDEN) if isinstance(parent, nn.ModuleList) and any(part.children()) else None
    return Role(HIDDEN) if _STREAM_ENDS.fullmatch(name) and _beside_blocks(name, parts) else None


def _is_neurons_out(name: str, parts: Mapping[str, nn.Module]) -> bool:
    """`mlp.act` holds the neurons only where no gate follows: its block has `c_fc` and `c_proj`."""
    if name.endswith(".intermediate"):
        return True
    return f"{name.rpartition('.')[0]}.c_fc" in parts


def _has_neurons_out(name: str, parts: Mapping[str, nn.Module]) -> bool:
    stem = name.rpartition(".")[0]
    return f"{stem}.c_fc" in parts and f"{stem}.act" in parts


def _beside_blocks(name: str, parts: Mapping[str, nn.Module]) -> bool:
    """Whether the module stands at the level of the stack of blocks, or just above it (BERT's `embeddings`)."""
    level = name.rpartition(".")[0]
    prefix = f"{level}." if level else ""
    stacks: Iterable[str] = (
        other for other, part in parts.items() if isinstance(part, nn.ModuleList) and other.startswith(prefix)
    )
    return any(other.removeprefix(prefix).count(".") <= 1 for other in stacks)


def _n_heads(name: str, parts: Mapping[str, nn.Module]) -> int:
    """Heads of the attention module around `name`, from the nearest module above it that says so."""
    while name:
        name = name.rpartition(".")[0]
        part = parts[name]
        siblings = [part, *part.children()] if "att" in name.rpartition(".")[2].lower() else [part]
        for owner in siblings:
            for source in (owner, getattr(owner, "config", None)):
                n_heads = _first_int(source)
                if n_heads:
                    return n_heads
    return 0


def _first_int(source: Any) -> int:
    for attribute in _N_HEADS:
        value = getattr(source, attribute, None)
        if isinstance(value, int) and value > 0:
            return value
    return 0
