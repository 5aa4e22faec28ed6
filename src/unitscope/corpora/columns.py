"""Which column of a table is what: said by the user, else guessed from the columns' names and told.

A table (`.csv`, `.tsv`, `.jsonl`, `.json`, `.parquet`, a data set of the hub) has columns with names of its own. A
*role* is what the corpus makes of a column: the text, the words, a label, the group.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from unitscope.errors import CorpusError, closest

TEXTS = (
    "text",
    "sentence",
    "content",
    "document",
    "review",
    "body",
    "article",
    "abstract",
    "tweet",
    "comment",
    "question",
    "utterance",
    "query",
    "premise",
    "title",
    "headline",
    "description",
    "summary",
)
"""Names of columns taken for the text, the likeliest first."""
WORDS = ("words", "tokens", "forms")
LABELS = ("label", "labels", "class", "category", "sentiment", "topic", "intent", "emotion", "genre", "gold_label")
GROUPS = ("group", "doc", "document_id", "doc_id", "docid", "article_id", "group_id", "page_id", "doc_name")
IDS = ("id", "sent_id", "guid", "idx", "uid")
SOURCES = ("source", "src", "source_text", "source_sentence")
TARGETS = ("target", "tgt", "target_text", "target_sentence")
SPACES = ("space_after", "spaces", "whitespace")
"""Names of columns that say, for each word, whether a blank follows it."""
FORMS = ("form", "text", "word", "token")
"""Names under which a word stands in a list of objects, one a word."""

ROLES = ("text", "source", "target", "words", "label", "group", "id", "header", "names")
NONE = "none"


@dataclass(frozen=True)
class Columns:
    """What the user said of a table's columns; an empty tuple or None: nothing.

    `text` and `label` may be several columns. `header` is `first` (the first line names the columns), `none`, or the
    names themselves; only `.csv` and `.tsv` need it. `names` is a file with names for labels that are numbers, one a
    line, and `names_from` the number of its first line.
    """

    text: tuple[str, ...] = ()
    source: str | None = None
    target: str | None = None
    words: str | None = None
    label: tuple[str, ...] | None = None
    group: str | None = None
    id: str | None = None
    header: tuple[str, ...] = ()
    names: str | None = None
    names_from: int = 0

    @property
    def says_content(self) -> bool:
        """Whether the user named what holds the words, so that none of it is guessed."""
        return bool(self.text or self.source or self.target or self.words)

    @property
    def given(self) -> bool:
        """Whether anything was said."""
        return self != Columns()

    @property
    def named(self) -> tuple[str, ...]:
        """All columns the user named, each once."""
        singles = (self.source, self.target, self.words, self.group, self.id)
        found = [*self.text, *(name for name in singles if name), *(self.label or ())]
        return tuple(dict.fromkeys(name for name in found if name != NONE))

    def value_names(self) -> tuple[str, ...]:
        """Lines of the file `names`; empty where none was given. Raises CorpusError when it cannot be read."""
        from unitscope.corpora.lines import read_lines

        return (
            () if self.names is None else tuple(line.strip() for line in read_lines(Path(self.names)) if line.strip())
        )


def parse_columns(given: Sequence[str] | Mapping[str, str]) -> Columns:
    """Columns from `ROLE=NAME` pairs; `text`, `label` and `header` take several names joined by `+`.

    Raises CorpusError for an unknown role, a pair without a name, a role given twice, or roles that exclude each other.

    >>> parse_columns(["text=title+description", "label=class"]).text
    ('title', 'description')
    """
    pairs = list(given.items()) if isinstance(given, Mapping) else [_pair(each) for each in given]
    said: dict[str, str] = {}
    for role, name in pairs:
        if role not in ROLES:
            raise CorpusError(
                f"Unknown role '{role}' in --columns.", expected=f"one of {', '.join(ROLES)}", fix=closest(role, ROLES)
            )
        if not name:
            raise CorpusError(f"'{role}=' names no column.", expected=f"{role}=NAME")
        if role in said:
            raise CorpusError(f"The role '{role}' is given twice.", expected="a role once; several names joined by '+'")
        said[role] = name
    _check_together(said)
    names, names_from = _names_file(said.get("names"))
    labels = said.get("label")
    return Columns(
        text=_several(said.get("text")),
        source=said.get("source"),
        target=said.get("target"),
        words=said.get("words"),
        label=None if labels is None else () if labels == NONE else _several(labels),
        group=said.get("group"),
        id=said.get("id"),
        header=_several(said.get("header")),
        names=names,
        names_from=names_from,
    )


def _pair(written: str) -> tuple[str, str]:
    role, given, name = written.partition("=")
    if not given:
        raise CorpusError(f"Got '{written}' in --columns.", expected="ROLE=NAME, as in text=title,label=class")
    return role.strip(), name.strip()


def _several(names: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (names or "").split("+") if name.strip())


def _check_together(said: Mapping[str, str]) -> None:
    if ("source" in said) != ("target" in said):
        raise CorpusError("Got one side of a pair in --columns.", expected="source=NAME and target=NAME")
    contents = [role for role in ("text", "source", "words") if role in said]
    if len(contents) > 1:
        raise CorpusError(
            f"Got '{contents[0]}' and '{contents[1]}' in --columns.", expected="text, or source and target, or words"
        )


def _names_file(given: str | None) -> tuple[str | None, int]:
    """`FILE` or `FILE@FIRST`."""
    if given is None:
        return None, 0
    path, at, first = given.rpartition("@")
    if at and first.isascii() and first.isdigit():
        return path, int(first)
    return given, 0
