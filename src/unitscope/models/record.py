"""What a forward does below a layer: the outputs of all modules that finish before it, in the order of their calls.

Of nested modules that finish, only the outermost are kept. Modules are known by object and number of call, so shared
ones and those called several times are told apart. What a call does beside giving an output is noted too: arguments
that it changes in place, and what it writes to a cache of keys and values. Anything else that it leaves behind (an
attribute of a module that changes) is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence
from torch.utils._pytree import tree_flatten

from unitscope.models.address import Side


class NotReplayableError(Exception):
    """Why a forward cannot be replayed; never seen outside `unitscope.models.replay`."""


class _Reached(Exception):  # noqa: N818 - a signal to leave the forward
    """The boundary has been reached."""


@dataclass(frozen=True)
class Boundary:
    """Where a replay begins to compute: when call `call` of `module` starts (`in`) or has given its output (`out`).

    `rank` orders boundaries by execution.
    """

    module: str
    side: Side
    call: int
    rank: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Write:
    """Keys and values written to a cache: which argument it was, which part of it, and the arguments of `update`."""

    leaf: int
    part: str
    args: tuple[Any, ...]


@dataclass(eq=False)
class Call:
    """One call of a module that finished. `leaves` and `tree` are its output taken apart.

    `aliases[i]` is the leaf of the arguments that leaf i of the output is itself. `mutated` holds, by leaf of the
    arguments, what became of it. `inside` counts calls of modules within, the module itself included.
    """

    module: nn.Module
    number: int
    leaves: list[Any] = field(default_factory=list)
    tree: Any = None
    aliases: dict[int, int] = field(default_factory=dict)
    mutated: dict[int, torch.Tensor] = field(default_factory=dict)
    writes: list[Write] = field(default_factory=list)
    inside: Counter[int] = field(default_factory=Counter)
    versions: dict[int, int] = field(default_factory=dict)
    given: list[Any] = field(default_factory=list)
    given_versions: dict[int, int] = field(default_factory=dict)
    caches: dict[int, tuple[int, str]] = field(default_factory=dict)
    children: list[Call] = field(default_factory=list)


class Recorder:
    """Hooks that note calls until the boundary. `keep` are modules whose outputs are copied at once."""

    def __init__(self, module: nn.Module, boundary: Boundary, keep: set[int]) -> None:
        self.module, self.boundary, self.keep = module, boundary, keep
        self.target = module.get_submodule(boundary.module)
        self.counts: Counter[int] = Counter()
        self.stack: list[Call] = []
        self.spied: dict[int, tuple[Any, Any]] = {}
        self.reached: list[Call] = []

    def run(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Call]:
        """The outermost calls that finish before the boundary, in order.

        Raises NotReplayableError where the forward never gets there, or leaves something behind.
        """
        before = _state(self.module)
        handles = []
        try:
            for part in self.module.modules():
                handles.append(part.register_forward_pre_hook(self._before, with_kwargs=True))
                handles.append(part.register_forward_hook(self._after, with_kwargs=True))
            with torch.no_grad():
                self.module(*args, **kwargs)
        except _Reached:
            pass
        finally:
            for handle in handles:
                handle.remove()
            for cache, update in self.spied.values():
                cache.__dict__.pop("update", None) if update is None else setattr(cache, "update", update)
        if not self.reached and not self._was_reached:
            raise NotReplayableError(f"'{self.boundary.module}' was not reached by the forward")
        changed = _changed(before, _state(self.module))
        if changed:
            raise NotReplayableError(f"the forward changes '{changed}'")
        return self.reached

    _was_reached = False

    def _finish(self) -> None:
        self._was_reached = True
        self.reached = [call for frame in self.stack for call in frame.children]
        raise _Reached

    def _before(self, part: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        number = self.counts[id(part)]
        self.counts[id(part)] += 1
        at = self.boundary
        if part is self.target and at.side == "in" and number == at.call:
            self._finish()
        call = Call(part, number)
        call.given = tree_flatten((args, kwargs))[0]
        for place, leaf in enumerate(call.given):
            if isinstance(leaf, torch.Tensor):
                call.given_versions[place] = leaf._version
            elif hasattr(leaf, "update") and hasattr(leaf, "get_seq_length"):
                self._spy(leaf, call, place)
        self.stack.append(call)

    def _spy(self, cache: Any, call: Call, place: int) -> None:
        names = ("self_attention_cache", "cross_attention_cache")
        parts = {name: getattr(cache, name) for name in names if hasattr(cache, name)} or {"": cache}
        for name, part in parts.items():
            call.caches[id(part)] = (place, name)
            if id(part) in self.spied:
                continue
            self.spied[id(part)] = (part, part.__dict__.get("update"))
            part.update = self._spying(part, part.update)

    def _spying(self, cache: Any, update: Callable[..., Any]) -> Callable[..., Any]:
        def spy(*args: Any, **kwargs: Any) -> Any:
            if kwargs:
                raise NotReplayableError("its cache is written with named arguments")
            for frame in self.stack:
                if id(cache) in frame.caches:
                    place, name = frame.caches[id(cache)]
                    copies = tuple(arg.clone() if isinstance(arg, torch.Tensor) else arg for arg in args)
                    frame.writes.append(Write(place, name, copies))
            return update(*args)

        return spy

    def _after(self, part: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        call = self.stack.pop()
        if call.module is not part:
            raise NotReplayableError("its modules do not nest")
        call.leaves, call.tree = tree_flatten(output)
        self._note_output(call)
        call.inside = sum((child.inside for child in call.children), Counter({id(part): 1}))
        call.children = []
        for place, version in call.given_versions.items():
            if call.given[place]._version != version:
                call.mutated[place] = call.given[place].clone()
        call.given = []
        at = self.boundary
        if self.stack:
            self.stack[-1].children.append(call)
        if part is self.target and at.side == "out" and call.number == at.call:
            self._finish()

    def _note_output(self, call: Call) -> None:
        objects = {id(leaf): place for place, leaf in enumerate(call.given) if not isinstance(leaf, _PLAIN)}
        for place, leaf in enumerate(call.leaves):
            if id(leaf) in objects:
                call.aliases[place] = objects[id(leaf)]
            elif isinstance(leaf, torch.Tensor):
                if id(call.module) in self.keep:
                    call.leaves[place] = leaf.clone()
                else:
                    call.versions[place] = leaf._version
            elif not isinstance(leaf, (*_PLAIN, PackedSequence)):
                raise NotReplayableError(f"a module gives a {type(leaf).__name__}")


_PLAIN = (bool, int, float, str, type(None))


def record(
    module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], boundary: Boundary, keep: set[int]
) -> list[Call]:
    """Calls before the boundary; `keep` grows by modules whose outputs later ones change in place.

    Raises NotReplayableError where the forward cannot be replayed.
    """
    for _ in range(3):
        calls = Recorder(module, boundary, keep).run(args, kwargs)
        late = {
            id(call.module)
            for call in calls
            if any(call.leaves[place]._version != version for place, version in call.versions.items())
        }
        if not late:
            return calls
        keep |= late
    raise NotReplayableError("its outputs keep changing")


def _state(module: nn.Module) -> dict[str, tuple[Any, ...]]:
    """What the modules hold beside weights: plain attributes, buffers with their versions, sizes of containers."""
    found: dict[str, tuple[Any, ...]] = {}
    for name, part in module.named_modules():
        for key, value in vars(part).items():
            if not key.startswith(("_forward", "_backward", "_parameters", "_modules")) and key not in _OWN:
                found[f"{name}.{key}".lstrip(".")] = _seen(value)
        for key, value in part._buffers.items():
            if value is not None:
                found[f"{name}.{key}".lstrip(".")] = (id(value), value._version if not value.is_inference() else 0)
    return found


_OWN = ("forward", "_buffers", "_state_dict_hooks", "_load_state_dict_pre_hooks", "_non_persistent_buffers_set")


def _seen(value: Any) -> tuple[Any, ...]:
    if isinstance(value, _PLAIN):
        return (value,)
    if isinstance(value, Mapping):
        return (id(value), tuple((key, id(each)) for key, each in list(value.items())))
    if isinstance(value, (list, tuple, set, frozenset)):
        return (id(value), len(value), tuple(id(each) for each in value))
    if isinstance(value, torch.Tensor):
        return (id(value), 0 if value.is_inference() else value._version)
    return (id(value),)


def _changed(before: Mapping[str, Any], after: Mapping[str, Any]) -> str:
    for name in after:
        if name not in before or before[name] != after[name]:
            return name
    return ""
