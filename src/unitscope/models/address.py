"""Addresses of layers: `module[@in][[k]][#call]`, their parsing, and matching of globs against them.

`module` is PyTorch's own dotted name. Without further marks an address means the module's output; `@in` means what
the module is given. `[k]` picks the k-th element of a tuple (0 is the default and is not written), `#call` one of
several calls of a shared module. Globs are those of `fnmatch`, over whole addresses: a dot is an ordinary character.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from unitscope.errors import UnknownLayerError, closest

_GRAMMAR = re.compile(r"(?P<module>[^@#\[\]*?]+)(?P<side>@in)?(?:\[(?P<element>\d+)\])?(?:#(?P<call>\d+))?")

Side = Literal["out", "in"]
POOLED = "@item"
"""Suffix of a layer whose sites are pooled to one an item: `ADDRESS@item`."""


def split_pooled(pattern: str) -> tuple[str, bool]:
    """A pattern without the suffix `@item`, and whether it had it.

    >>> split_pooled("encoder.layer.3@item"), split_pooled("h.0@in")
    (('encoder.layer.3', True), ('h.0@in', False))
    """
    return pattern.removesuffix(POOLED), pattern.endswith(POOLED)


@dataclass(frozen=True)
class Address:
    """A parsed address. `call` is None where a module is called once, or once a time step.

    >>> str(Address("layers.3.mlp.down_proj", side="in"))
    'layers.3.mlp.down_proj@in'
    """

    module: str
    side: Side = "out"
    element: int = 0
    call: int | None = None

    def __str__(self) -> str:
        side = "@in" if self.side == "in" else ""
        element = f"[{self.element}]" if self.element else ""
        call = "" if self.call is None else f"#{self.call}"
        return f"{self.module}{side}{element}{call}"


def parse(text: str) -> Address | None:
    """Read an address; None where the text is not one (a glob, for instance).

    >>> parse("lstm[1]#2")
    Address(module='lstm', side='out', element=1, call=2)
    >>> parse("encoder.*") is None
    True
    """
    match = _GRAMMAR.fullmatch(text)
    if match is None:
        return None
    call = match["call"]
    return Address(
        match["module"],
        "in" if match["side"] else "out",
        int(match["element"] or 0),
        None if call is None else int(call),
    )


def select(patterns: Sequence[str], known: Sequence[str], listed: Iterable[str], model: str) -> list[str]:
    """Return the addresses that the patterns mean, in the order of `known`, none twice.

    A pattern is read as a literal address first, then as all calls of one, then as a glob. Globs see the `listed`
    addresses, and all known ones where the pattern speaks of inputs (`@in`). `model` names the model in errors.

    Raises UnknownLayerError when a pattern matches nothing.

    >>> select(["h.*"], ["wte", "h.0", "h.0@in", "h.1"], ["wte", "h.0", "h.1"], "tiny")
    ['h.0', 'h.1']
    """
    everything = set(known)
    shown = set(listed)
    wanted: set[str] = set()
    for pattern in patterns:
        found = _matches(pattern, known, everything, shown)
        if not found:
            raise UnknownLayerError(
                f"Layer '{pattern}' not in {model}.",
                fix=" ".join(part for part in (closest(pattern, known), "List them: unitscope layers MODEL") if part),
            )
        wanted.update(found)
    return [address for address in known if address in wanted]


def _matches(pattern: str, known: Sequence[str], everything: set[str], shown: set[str]) -> list[str]:
    parsed = parse(pattern)
    literal = pattern if parsed is None else str(parsed)
    if literal in everything:
        return [literal]
    if parsed is not None:
        calls = [address for address in known if address.startswith(f"{literal}#")]
        if calls:
            return calls
    pool = known if "@in" in pattern else [address for address in known if address in shown]
    return [address for address in pool if fnmatchcase(address, pattern)]


def unpooled(address: str) -> str:
    """The address at which a unit is edited: that of a layer pooled over items without the pooling.

    >>> unpooled("encoder.layer.1@item:3")
    'encoder.layer.1:3'
    """
    return address.replace(f"{POOLED}:", ":").removesuffix(POOLED)
