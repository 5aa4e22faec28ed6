"""Image folders, with or without label masks: one item an image, one site a cell of a layer's feature map.

The layout is found by names. A folder `NAME` of images belongs with a folder `NAMEannot`, `NAME_annotations`,
`NAME_masks` or `NAME_labels` beside it (or `images` with `masks`, `labels` or `annotations`); the mask of an image
has the same stem. Each such `NAME` is a split (`FOLDER:train`, or `FOLDER/train`); without one the only split is read,
or `train`. `classes.json` in the folder names the labels::

    {"ignore_index": 11, "classes": [{"index": 0, "name": "sky"}, {"index": 1, "name": "building"}]}

A group is the video that a frame is from: the file's stem up to its last `_`, `-` or `.` where digits end what
follows, else without the digits at its end; a stem of digits alone is a group of its own.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from unitscope.corpora.base import file_fingerprint
from unitscope.errors import CorpusError, closest
from unitscope.pixels import labels_of, pixels_of
from unitscope.sites import IMAGE, Image, Item

VERSION = "images 1"
PICTURES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
CLASSES = "classes.json"
_MASKS = re.compile(r"(.*?)[_-]?(?:annot|annotations|masks|labels)")
_FRAME = re.compile(r"(.+)[_\-.][^_\-.]*\d")
_DIGITS = re.compile(r"(.*?)\d*")


def group_of(stem: str) -> str:
    """The video that a frame is from, by the name of its file.

    >>> group_of("0001TP_006690"), group_of("Seq05VD_f00030"), group_of("cat12"), group_of("0042")
    ('0001TP', 'Seq05VD', 'cat', '0042')
    """
    if match := _FRAME.fullmatch(stem):
        return match[1]
    match = _DIGITS.fullmatch(stem)
    return (match[1] if match else "") or stem


@dataclass(frozen=True)
class ImageFolder:
    """Images of one split of a folder, in order of their names, as grid `image`.

    An image that cannot be read, and one whose mask is missing, of another mode or size, or has labels that
    `classes.json` does not name, is left out and counted: see `skipped`.
    """

    path: Path
    split: str = ""
    _skipped: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, path: Path, split: str = "") -> ImageFolder:
        """A folder, or the split of the folder above it where that has masks for this one."""
        whole = path.resolve()
        if not split and (whole.parent / CLASSES).exists():
            above = cls(whole.parent)
            if above._splits.get(whole.name, (whole, None))[1] is not None:
                return cls(whole.parent, whole.name)
        return cls(path, split)

    @property
    def notes(self) -> tuple[str, ...]:
        """Where the labels are from."""
        images, masks = self._folders
        if masks is None:
            told = f"'{images.name}' has no masks beside it ('{images.name}annot' with {CLASSES}): no labels are known"
        else:
            told = f"labels of '{images.name}' are from '{masks.name}'"
        return (told,)

    @property
    def name(self) -> str:
        """The folder's name, and the split's."""
        return f"{self.path.resolve().name}:{self._split}" if self._split else self.path.resolve().name

    @property
    def grids(self) -> tuple[str, ...]:
        """Always ('image',)."""
        return (IMAGE,)

    @property
    def columns(self) -> tuple[str, ...]:
        """Images have no word columns."""
        return ()

    @property
    def has_masks(self) -> bool:
        """Whether there is a folder of masks."""
        return self._folders[1] is not None

    @cached_property
    def _splits(self) -> Mapping[str, tuple[Path, Path | None]]:
        """Folder of images and of masks by split."""
        try:
            folders = {each.name: each for each in sorted(self.path.iterdir()) if each.is_dir()}
        except OSError as error:
            raise CorpusError(f"Cannot read '{self.path}': {error.strerror}.", fix="Check the path.") from error
        masks: dict[str, Path] = {}
        for name, folder in folders.items():
            if match := _MASKS.fullmatch(name):
                masks[match[1] or "images"] = folder
        found: dict[str, tuple[Path, Path | None]] = {}
        for name, folder in folders.items():
            if folder not in masks.values() and _pictures(folder):
                found[name] = (folder, masks.get(name))
        if _pictures(self.path):
            found[""] = (self.path, masks.get("images"))
        if not found:
            raise CorpusError(
                f"No images in '{self.path}' or in a folder of it.",
                expected="files such as .jpg or .png, or folders of them with masks beside (train, trainannot)",
            )
        return found

    @cached_property
    def _split(self) -> str:
        known = self._splits
        if self.split:
            if self.split not in known:
                fix = closest(self.split, known) or f"It has: {', '.join(filter(None, known))}."
                raise CorpusError(f"'{self.path.name}' has no split '{self.split}'.", fix=fix)
            return self.split
        for name in ("", "train", "images"):
            if name in known:
                return name
        if len(known) == 1:
            return next(iter(known))
        raise CorpusError(
            f"'{self.path.name}' has the splits {', '.join(known)}.", expected=f"one of them, as {self.path}:SPLIT"
        )

    @property
    def _folders(self) -> tuple[Path, Path | None]:
        return self._splits[self._split]

    @cached_property
    def _classes(self) -> tuple[tuple[str, ...], frozenset[int]]:
        return read_classes(self.path / CLASSES)

    def fingerprint(self) -> str:
        """SHA-256 of this reader's version and all names and bytes of the split's files."""
        images, masks = self._folders
        files = [*_pictures(images), *(_pictures(masks) if masks else [])]
        if masks is not None:
            files.append(self.path / CLASSES)
        names = "\n".join(f"{file.parent.name}/{file.name}" for file in files)
        return hashlib.sha256(f"{VERSION}\n{names}\n{file_fingerprint(*files)}".encode()).hexdigest()

    @property
    def skipped(self) -> Mapping[str, str]:
        """What was wrong with each image that was left out so far, by its file's name."""
        return MappingProxyType(self._skipped)

    def __iter__(self) -> Iterator[Item]:
        """Images by name. Raises CorpusError when none can be read."""
        images, masks = self._folders
        by_stem = {} if masks is None else {file.stem: file for file in _pictures(masks)}
        classes, ignored = self._classes if masks is not None else ((), frozenset[int]())
        n_items = 0
        for file in _pictures(images):
            try:
                path = str(file.resolve())
                height, width, _ = pixels_of(path).shape
                image = Image(path, height, width)
                if masks is not None:
                    if file.stem not in by_stem:
                        raise CorpusError(f"'{file.name}' has no mask in '{masks.name}'.")
                    mask = str(by_stem[file.stem].resolve())
                    image = Image(path, height, width, mask, classes, ignored)
                    labels_of(image)
            except CorpusError as error:
                self._skipped[file.name] = str(error)
                continue
            n_items += 1
            yield Item(file.stem, group_of(file.stem), MappingProxyType({IMAGE: image}))
        if not n_items:
            first = next(iter(self._skipped.values()), "")
            raise CorpusError(f"No image of '{self.name}' can be used. {first}")


def _pictures(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.suffix.lower() in PICTURES and each.is_file())


def read_classes(path: Path) -> tuple[tuple[str, ...], frozenset[int]]:
    """Names of the labels by index (empty: not named) and the labels that mean 'not labelled'.

    Raises CorpusError when the file is missing or of another form.
    """
    try:
        data: Any = json.loads(path.read_text(encoding="utf-8"))
        ignored = data.get("ignore_index", [])
        skip = frozenset(int(index) for index in (ignored if isinstance(ignored, list) else [ignored]))
        named = {int(each["index"]): str(each["name"]) for each in data["classes"]}
    except FileNotFoundError as error:
        raise CorpusError(
            f"No '{path.name}' beside the masks of '{path.parent.name}'.",
            expected='{"ignore_index": 11, "classes": [{"index": 0, "name": "sky"}, ...]}',
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorpusError(
            f"'{path.name}' cannot be read: {type(error).__name__}: {error}",
            expected='{"ignore_index": 11, "classes": [{"index": 0, "name": "sky"}, ...]}',
        ) from error
    if not named or not all(0 <= index < 256 for index in [*named, *skip]):
        raise CorpusError(f"'{path.name}' has no classes, or an index beyond 255.", expected="indices from 0 to 255")
    return tuple(named.get(index, "") for index in range(max(named) + 1)), skip
