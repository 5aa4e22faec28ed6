"""Properties by their names, as the command line takes them.

- `label:COLUMN=VALUE`: a head for the items' label says VALUE (`label:COLUMN` to take the label away);
- `choice:A,B|C,D`: the model expects a token of the second set where the text has one of the first;
- `words:A,B` or `words:FILE` (a word a line): what is written has one of the words;
- `regex:PATTERN`: what is written matches;
- `python:pkg.module:function`: a function of what is written that gives a number.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path

from unitscope.causal.continuing import GREEDY, Decoding
from unitscope.causal.steering_choice import Choice
from unitscope.causal.steering_label import LabelIs
from unitscope.causal.steering_scores import Property
from unitscope.causal.steering_text import Written, pattern_judge, words_judge
from unitscope.errors import TaskError, closest

Judged = Callable[[str], float]
KINDS = ("label", "choice", "words", "regex", "python")
EXPECTED = "label:COLUMN=VALUE, choice:A,B|C,D, words:A,B, words:FILE, regex:PATTERN or python:pkg.module:function"


def property_of(
    text: str,
    *,
    remove: bool = False,
    keep: str = "",
    decoding: Decoding = GREEDY,
    prompt_words: int = 4,
    seed: int = 0,
) -> Property:
    """A property by its name. Raises TaskError for one that cannot be read.

    >>> property_of("choice:is,are|was,were").wanted
    ('was', 'were')
    """
    kind, colon, what = text.partition(":")
    if not colon or not what or kind not in KINDS:
        raise TaskError(f"Cannot read the property '{text}'.", expected=EXPECTED, fix=closest(kind, KINDS))
    if keep and kind != "label":
        raise TaskError(f"'{kind}' has no accuracy to keep.", expected="a property label:COLUMN=VALUE with --keep")
    if kind == "label":
        label, _, value = what.partition("=")
        if bool(value) == remove:
            told = "label:COLUMN to take away" if remove else "label:COLUMN=VALUE to steer to"
            raise TaskError(f"Got the property '{text}'.", expected=told)
        return LabelIs(label, value, remove, keep, seed)
    if kind == "choice":
        sets = [tuple(word.strip() for word in part.split(",") if word.strip()) for part in what.split("|")]
        if len(sets) != 2 or not all(sets):
            raise TaskError(
                f"Cannot read the property '{text}'.", expected="two sets of words, as choice:is,are|was,were"
            )
        return Choice(sets[0], sets[1], remove)
    makers: Mapping[str, Callable[[str], Judged]] = {"words": _words, "regex": pattern_judge, "python": _function}
    return Written(text, makers[kind](what), decoding, prompt_words, remove)


def _words(what: str) -> Judged:
    path = Path(what)
    if path.is_file():
        try:
            words = path.read_text("utf-8").split("\n")
        except (OSError, ValueError) as error:
            raise TaskError(
                f"Cannot read the words in '{what}': {error}.", expected="a word a line, in UTF-8"
            ) from error
    else:
        words = what.split(",")
    known = [word.strip() for word in words if word.strip()]
    if not known:
        raise TaskError(f"There is no word in '{what}'.", expected="words:A,B or words:FILE, a word a line")
    return words_judge(known)


def _function(what: str) -> Judged:
    module, _, name = what.partition(":")
    try:
        found: Judged = getattr(importlib.import_module(module), name)
    except Exception as error:  # importing runs a module of the user's, which may fail in any way
        raise TaskError(f"Cannot import '{what}': {error}.", expected="python:pkg.module:function") from error
    return found
