"""Data sets in the hub's format: `hf:NAME[:CONFIG][:SPLIT]`, through the optional package `datasets`.

NAME is a folder in the hub's layout (data files, perhaps a card), which is streamed, or a name on the hub, which the
package fetches once and keeps. No code of a data set is run: the package versions asked for have none, and none is
allowed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

from unitscope.corpora.base import Corpus, content_fingerprint
from unitscope.corpora.columns import Columns
from unitscope.corpora.layout import N_SAMPLED
from unitscope.corpora.parquet import class_names
from unitscope.corpora.records import flat
from unitscope.corpora.table import TableCorpus, opened
from unitscope.errors import CorpusError, closest

PREFIX = "hf:"
_OLDEST = 4


@dataclass(frozen=True)
class HubRows:
    """Rows of one split of a data set. Raises CorpusError when it cannot be opened or read."""

    dataset: str
    config: str | None
    split: str

    @property
    def name(self) -> str:
        """The data set's own name with configuration and split, no folder."""
        return ":".join(part for part in (Path(self.dataset).name, self.config, self.split) if part)

    @property
    def counted(self) -> str:
        """Rows."""
        return "row"

    @cached_property
    def _loaded(self) -> Any:
        with _mending(self.dataset):
            loaded = _library().load_dataset(
                self.dataset, self.config, split=self.split, streaming=Path(self.dataset).is_dir()
            )
            features = loaded.features or {}
            kept = [name for name, feature in features.items() if type(feature).__name__ not in _UNREAD]
            return loaded.select_columns(kept) if features else loaded

    @cached_property
    def header(self) -> tuple[str, ...]:
        """Names of the columns; those of nested values are found in the first rows."""
        return tuple(dict.fromkeys(key for _, row in islice(iter(self), N_SAMPLED) for key in row))

    @cached_property
    def value_names(self) -> Mapping[str, tuple[str, ...]]:
        """Names of classes, by column."""
        features = self._loaded.features
        found = {} if features is None else features.to_dict()
        return {name: names for name, feature in found.items() if (names := class_names(feature))}

    def fingerprint(self) -> str:
        """SHA-256 of all items that the rows make as they are guessed; one pass."""
        return content_fingerprint("hub 1", TableCorpus(self, Columns()))

    def __iter__(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Rows in the split's order."""
        rows = iter(self._loaded)
        number = 0
        while True:
            with _mending(self.dataset):
                row = next(rows, None)
            if row is None:
                return
            number += 1
            yield number, flat(row)


_UNREAD = ("Image", "Audio", "Video", "Pdf", "Nifti", "Array2D", "Array3D")
"""Features that hold no text, and whose reading needs more packages."""


@dataclass(frozen=True)
class HubCorpus(TableCorpus):
    """Items of a data set: as those of any table, with a fingerprint of their content."""

    def fingerprint(self) -> str:
        """SHA-256 of all items: no single file determines them. One pass."""
        return content_fingerprint(f"hub 1\n{self.layout}", self)


def open_hub(spec: str, said: Columns) -> Corpus:
    """The corpus of `hf:NAME[:CONFIG][:SPLIT]`.

    Raises CorpusError when the package is missing, or the data set, its configuration, split or columns are.
    """
    _library()
    name, _, rest = spec.removeprefix(PREFIX).partition(":")
    parts = [part for part in rest.split(":") if part]
    if not name or len(parts) > 2:
        raise CorpusError(f"Got '{spec}'.", expected="hf:NAME, hf:NAME:SPLIT or hf:NAME:CONFIG:SPLIT")
    config, split = _config_and_split(name, parts)
    corpus = HubCorpus(HubRows(name, config, split), said)
    _ = opened(corpus.rows, said)
    return corpus


def _config_and_split(name: str, parts: list[str]) -> tuple[str | None, str]:
    """Configuration and split, of which one may be left out. A single part is a split unless it is a configuration."""
    library = _library()
    with _mending(name):
        configs = list(library.get_dataset_config_names(name))
    config = None
    if parts and (len(parts) == 2 or parts[0] in configs):
        config = parts.pop(0)
        if config not in configs:
            raise CorpusError(
                f"'{name}' has no configuration '{config}'.",
                expected=f"one of {', '.join(configs)}",
                fix=closest(config, configs),
            )
    elif len(configs) > 1 and "default" not in configs:
        raise CorpusError(f"'{name}' has several configurations.", expected=f"one of {', '.join(configs)}")
    with _mending(name):
        splits = list(library.get_dataset_split_names(name, config))
    if parts:
        if parts[0] not in splits:
            raise CorpusError(
                f"'{name}' has no split '{parts[0]}'.",
                expected=f"one of {', '.join(splits)}",
                fix=closest(parts[0], splits),
            )
        return config, parts[0]
    if len(splits) == 1 or "train" in splits:
        return config, splits[0] if len(splits) == 1 else "train"
    raise CorpusError(f"'{name}' has several splits.", expected=f"one of {', '.join(splits)}")


def _library() -> Any:
    """The package. Raises CorpusError when it is missing, or so old that it would run code of data sets."""
    try:
        import datasets
    except ImportError as error:
        raise CorpusError(
            "'hf:' needs the package datasets, which is not installed.", fix="pip install 'unitscope[datasets]'"
        ) from error
    version = str(datasets.__version__)
    if int(version.split(".")[0]) < _OLDEST:
        raise CorpusError(
            f"The package datasets is {version}.",
            expected=f"{_OLDEST}.0 or later, which runs no code of data sets",
            fix="pip install -U datasets",
        )
    return datasets


@contextmanager
def _mending(name: str) -> Iterator[None]:
    """Whatever the package raises, as an error of ours; and no progress bars."""
    library = _library()
    shown = library.is_progress_bar_enabled()
    library.disable_progress_bars()
    try:
        yield
    except Exception as error:  # the package raises many kinds, also of the network
        told = str(error).strip().split("\n")[0][:200]
        raise CorpusError(
            f"Data set '{name}' cannot be read: {type(error).__name__}: {told}",
            expected="a folder of data files, or a name on the hub",
            fix="Check the name; a data set of the hub must be reached over the network once.",
        ) from error
    finally:
        if shown:
            library.enable_progress_bars()
