"""Tensors that stand for several copies of one, and are made only when something computes with them.

What a replayed module gives back is `copies` times the recorded output along the batch axis. Most of it is handed to
the next replayed module and never looked at; so it is a shell of the right shape, which becomes a real tensor at the
first operation on it. A shell may also hold edits of a few units for each copy. If the first thing that is done with it
is a linear map (`nn.Linear`, a convolution, transformers' `Conv1D`), its output is the recorded input's own output plus
a low-rank update for each copy, since W (x + d) = W x + W d: exact up to rounding, and without the products of the
whole. Where the update nearly cancels what it is added to, rounding would tell, and the product is made in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as it is called everywhere
from torch.utils._pytree import tree_map

CANCELS = 0.9
"""An update of more than this share of what it is added to, at any site, is made in full instead."""


@dataclass(frozen=True, eq=False)
class Delta:
    """What is added to some units of one copy: `values` has the base's shape but on the axis of units."""

    units: tuple[int, ...]
    values: torch.Tensor


class Tiled(torch.Tensor):
    """`copies` times `base` along `axis`, plus `deltas` (one or None a copy) on `unit_axis`; a real tensor on demand.

    `memo` keeps outputs of the base itself between shells of the same record.
    """

    base: torch.Tensor
    axis: int
    copies: int
    deltas: Sequence[Delta | None] | None
    unit_axis: int
    memo: dict[Any, Any]
    full: torch.Tensor | None

    @staticmethod
    def of(
        base: torch.Tensor,
        axis: int,
        copies: int,
        memo: dict[Any, Any],
        deltas: Sequence[Delta | None] | None = None,
        unit_axis: int = -1,
    ) -> Tiled:
        """A shell over `base`."""
        shape = list(base.shape)
        shape[axis] *= copies
        with torch.no_grad():
            shell: Any = torch.Tensor._make_subclass(Tiled, base.new_zeros(()).expand(shape))
        shell.base, shell.axis, shell.copies, shell.memo = base, axis, copies, memo
        shell.deltas, shell.unit_axis, shell.full = deltas, unit_axis % base.dim(), None
        return shell  # type: ignore[no-any-return]

    def whole(self) -> torch.Tensor:
        """The tensor it stands for, made once."""
        if self.full is None:
            self.full = torch.cat([self.base] * self.copies, dim=self.axis)
            for copy, delta in enumerate(self.deltas or ()):
                if delta is not None:
                    mine = self.full.narrow(self.axis, copy * self.base.shape[self.axis], self.base.shape[self.axis])
                    index = torch.tensor(delta.units, device=self.base.device)
                    mine.index_add_(self.unit_axis, index, delta.values)
        return self.full

    def become(self, base: torch.Tensor) -> None:
        """Stand for copies of another base, as after an operation in place."""
        if self.full is not None:
            self.full.copy_(torch.cat([base] * self.copies, dim=self.axis))
        self.base, self.deltas = base, None

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in _SHAPES:
            with torch._C.DisableTorchFunctionSubclass():
                return func(*args, **kwargs)
        handler = _HANDLERS.get(func)
        if handler is not None and isinstance(args[0] if args else None, Tiled | torch.Tensor):
            found = handler(*args, **kwargs)
            if found is not None:
                return found
        args, kwargs = tree_map(_made, (args, kwargs))
        with torch._C.DisableTorchFunctionSubclass():
            return func(*args, **kwargs)


def _made(value: Any) -> Any:
    return value.whole() if isinstance(value, Tiled) else value


def plain(value: torch.Tensor) -> torch.Tensor:
    """The tensor itself, a shell's where it is one."""
    return value.whole() if isinstance(value, Tiled) else value


def _getters(*names: str) -> list[Any]:
    return [getattr(torch.Tensor, name).__get__ for name in names]


_SHAPES: frozenset[Any] = frozenset(
    [
        *_getters("shape", "dtype", "device", "ndim", "layout", "requires_grad", "is_cuda"),
        torch.Tensor.size, torch.Tensor.dim, torch.Tensor.numel, torch.Tensor.is_floating_point,
        torch.is_floating_point, torch.Tensor.is_complex, torch.Tensor.__len__, torch.Tensor.get_device,
        torch.is_tensor,
    ]
)  # fmt: skip


def _dropout(value: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    return None if training else value


def _low(value: Any) -> Tiled | None:
    """The shell, where it holds edits of its copies and is still a shell."""
    fits = isinstance(value, Tiled) and value.deltas is not None and value.full is None and value.axis == 0
    return value if fits else None


def _linear(value: Any, weight: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor | None:
    shell = _low(value)
    if shell is None or isinstance(weight, Tiled) or shell.unit_axis != shell.base.dim() - 1:
        return None
    return _updated(shell, lambda base: F.linear(base, weight, bias), weight.T, (F.linear, id(weight), id(bias)))


def _addmm(bias: Any, value: Any, weight: Any, *, beta: float = 1, alpha: float = 1) -> torch.Tensor | None:
    shell = _low(value)
    if shell is None or beta != 1 or alpha != 1 or isinstance(weight, Tiled) or isinstance(bias, Tiled):
        return None
    key = (torch.addmm, id(weight), id(bias))
    return _updated(shell, lambda base: torch.addmm(bias, base, weight), weight, key)


def _updated(
    shell: Tiled, product: Callable[[torch.Tensor], torch.Tensor], weight: torch.Tensor, key: Any
) -> torch.Tensor:
    """Outputs [E * B, ..., O] of a linear map with weight [U, O] on the last axis."""
    base = shell.base
    if (key, id(base)) not in shell.memo:
        own = product(base)
        shell.memo[key, id(base)] = (own, own.norm(dim=-1), base)
    own, sizes, _ = shell.memo[key, id(base)]
    flat = own.reshape(-1, own.shape[-1])
    out = own.new_empty((shell.copies, *flat.shape))
    for copy, delta in enumerate(shell.deltas or ()):
        if delta is None:
            out[copy] = flat
            continue
        rows = weight[list(delta.units)]
        change = delta.values.reshape(-1, len(delta.units))
        if bool((change.norm(dim=-1) * rows.norm() > CANCELS * sizes.reshape(-1)).any()):
            out[copy] = product(_one(base, delta, shell.unit_axis)).reshape(flat.shape)
        elif len(rows) == 1:
            torch.addr(flat, change[:, 0], rows[0], out=out[copy])
        else:
            torch.addmm(flat, change, rows, out=out[copy])
    found: torch.Tensor = out.reshape(shell.copies * own.shape[0], *own.shape[1:])
    return found


def _one(base: torch.Tensor, delta: Delta, axis: int) -> torch.Tensor:
    return base.index_add(axis, torch.tensor(delta.units, device=base.device), delta.values)


def _conv(
    value: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1, groups: int = 1
) -> torch.Tensor | None:
    shell = _low(value)
    if shell is None or groups != 1 or shell.unit_axis != 1 or isinstance(weight, Tiled):
        return None
    convolve = {3: torch.conv1d, 4: torch.conv2d, 5: torch.conv3d}.get(shell.base.dim())
    if convolve is None:
        return None

    def product(base: torch.Tensor) -> torch.Tensor:
        return convolve(base, weight, bias, stride, padding, dilation)

    key = (torch.conv2d, id(weight), id(shell.base))
    if key not in shell.memo:
        own = product(shell.base)
        shell.memo[key] = (own, own.norm(dim=1), shell.base)
    own, sizes, _ = shell.memo[key]
    out = own.new_empty((shell.copies, *own.shape))
    for copy, delta in enumerate(shell.deltas or ()):
        if delta is None:
            out[copy] = own
            continue
        mine = weight[:, list(delta.units)]
        if all(size == 1 for size in weight.shape[2:]) and len(delta.units) == 1 and sizes.shape[1:] == own.shape[2:]:
            cancels = delta.values[:, 0].abs() * mine.norm() > CANCELS * sizes if _unit(stride, padding) else None
            if cancels is not None and not bool(cancels.any()):
                torch.addcmul(own, delta.values, mine[:, 0].reshape(1, -1, *[1] * (own.dim() - 2)), out=out[copy])
                continue
        change = convolve(delta.values, mine, None, stride, padding, dilation)
        if bool((change.norm(dim=1) > CANCELS * sizes).any()):
            out[copy] = product(_one(shell.base, delta, 1))
        else:
            torch.add(own, change, out=out[copy])
    found: torch.Tensor = out.reshape(-1, *own.shape[1:])
    return found


def _unit(stride: Any, padding: Any) -> bool:
    def every(value: Any, one: int) -> bool:
        return all(each == one for each in (value if isinstance(value, (tuple, list)) else (value,)))

    return every(stride, 1) and every(padding, 0)


def _view(value: Any, *shape: Any) -> Tiled | None:
    """Rows and sites made one axis, as before `addmm`: still copies of edited rows after each other."""
    shell = _low(value)
    sizes = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    if shell is None or shell.unit_axis != shell.base.dim() - 1 or len(sizes) != 2 or sizes[-1] != shell.base.shape[-1]:
        return None
    width = shell.base.shape[-1]
    key = ("view", id(shell.base))
    if key not in shell.memo:
        shell.memo[key] = (shell.base.reshape(-1, width), shell.base)
    deltas = [
        None if each is None else Delta(each.units, each.values.reshape(-1, len(each.units)))
        for each in shell.deltas or ()
    ]
    return Tiled.of(shell.memo[key][0], 0, shell.copies, shell.memo, deltas)


_HANDLERS: dict[Any, Callable[..., Any]] = {
    F.dropout: _dropout,
    F.linear: _linear,
    torch.addmm: _addmm,
    torch.conv1d: _conv,
    torch.conv2d: _conv,
    torch.conv3d: _conv,
    F.conv1d: _conv,
    F.conv2d: _conv,
    torch.Tensor.view: _view,
    torch.Tensor.reshape: _view,
}
