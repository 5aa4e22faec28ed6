"""What options are written like: lists with commas, and sizes in bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence

from unitscope.errors import PlanError

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([kmgt]?)(i?)b?", re.IGNORECASE)
_COMMA = re.compile(r",(?![^\[]*\])")
_TAKES_REST = ("regex:", "regex-text:", "lexicon:")
_QUOTED = re.compile(r"""(?<![^\s(=])("[^"]*"|'[^']*')""")


def split_names(values: Sequence[str]) -> list[str]:
    """Names or globs of a repeatable option, cut at commas outside brackets.

    >>> split_names(["a,b", "encoder.[1,3].*"])
    ['a', 'b', 'encoder.[1,3].*']
    """
    return [part.strip() for value in values for part in _COMMA.split(value) if part.strip()]


def split_measures(values: Sequence[str]) -> list[str]:
    """Measure specs, cut at commas that do not go on with a parameter.

    >>> split_measures(["auroc,iou:quantile=0.99,tail=lower,correlation"])
    ['auroc', 'iou:quantile=0.99,tail=lower', 'correlation']
    """
    found: list[str] = []
    for part in (part.strip() for value in values for part in value.split(",")):
        if found and "=" in part and ":" not in part:
            found[-1] += f",{part}"
        elif part:
            found.append(part)
    return found


def split_concepts(values: Sequence[str]) -> list[str]:
    """Concept specs, cut at commas; a pattern or a file's name may hold commas and takes all that follows.

    >>> split_concepts(["upos,words:40", "regex:year=[0-9]{2,4}"])
    ['upos', 'words:40', 'regex:year=[0-9]{2,4}']
    """
    found: list[str] = []
    for value in values:
        rest = value
        while rest and not rest.lstrip().startswith(_TAKES_REST):
            if rest.lstrip().startswith("combine:"):
                end = _combination_end(rest)
                part, rest = rest[:end], rest[end + 1 :]
            else:
                part, _, rest = rest.partition(",")
            if part.strip():
                found.append(part.strip())
        if rest:
            found.append(rest.strip())
    return found


def _combination_end(text: str) -> int:
    """Place of the first comma outside quotes, or the end.

    >>> _combination_end("combine:a=upos:X or 'words:,',words"), _combination_end("combine:a=words:don't,upos")
    (29, 21)
    """
    hidden = _QUOTED.sub(lambda quoted: "_" * len(quoted[0]), text)
    return hidden.find(",") if "," in hidden else len(text)


def parse_bytes(text: str | None, option: str) -> int | None:
    """A number of bytes: `500MB`, `8GB`, `2GiB`, `1000000`; None stays None. Raises PlanError for anything else.

    >>> parse_bytes("1.5GB", "--memory"), parse_bytes("2KiB", "--disk")
    (1500000000, 2048)
    """
    if text is None:
        return None
    match = _SIZE.fullmatch(text.strip())
    if match is None or not float(match[1]):
        raise PlanError(f"Got '{text}' for {option}.", expected="a number of bytes such as 8GB or 500MB")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** " kmgt".index(match[2].lower() or " "))
