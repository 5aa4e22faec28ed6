"""The static site: every page written once, complete or not at all, with all it needs beside it.

It is written under a temporary name beside its place and renamed when it is whole. A folder that is no site of ours is
never touched; a site of ours is replaced.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from unitscope import __version__
from unitscope.atlas import Atlas
from unitscope.errors import StoreError
from unitscope.report.site import charts, pages
from unitscope.report.site.beside import LeftOut
from unitscope.report.site.concept_view import agreements
from unitscope.report.site.data import SiteData
from unitscope.report.site.inert import script_json, slug
from unitscope.report.site.overview_view import unit_table
from unitscope.store import cannot_write, read_json, write_json

SEAL = "unitscope-site.json"
"""A file that tells a site of ours from other folders."""
STATIC = ("site.css", "site.js", "theme.js", "table.js", "charts.js", "icon.svg")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Exported:
    """What was written: its first page, number of pages of units and concepts, bytes and seconds.

    `left_out` are results beside the atlas that could not be read, each with its reason.
    """

    index: Path
    units: int
    concepts: int
    files: int
    n_bytes: int
    seconds: float
    left_out: tuple[LeftOut, ...] = ()


def export(atlas: Atlas, out: str | Path, progress: Progress = lambda what, done, total: None) -> Exported:
    """Write an atlas as a static site at `out`, a folder that does not exist, is empty, or is such a site.

    Raises StoreError when `out` is something else, lies in the atlas, or cannot be written; what is there then stays
    as it is.
    """
    target, started = Path(out), time.monotonic()
    _check_target(atlas, target)
    partial = target.with_name(f".{target.name}.exporting")
    try:
        partial.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        data = SiteData(atlas)
        _write(data, partial, progress)
        sizes = [path.stat().st_size for path in partial.rglob("*") if path.is_file()]
        _replace(partial, target)
    except OSError as error:
        raise cannot_write(target, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    seconds = round(time.monotonic() - started, 3)
    return Exported(
        target / "index.html",
        len(data.reported),
        len(data.concept_rows),
        len(sizes),
        sum(sizes),
        seconds,
        tuple(data.beside.left_out),
    )


def _check_target(atlas: Atlas, target: Path) -> None:
    if target.resolve() == atlas.path.resolve() or atlas.path.resolve() in target.resolve().parents:
        raise StoreError(f"'{target}' is the atlas itself, or in it.", fix="Give a folder beside it.")
    if target.is_dir() and not any(target.iterdir()):
        return
    if (target.exists() or target.is_symlink()) and not _is_ours(target):
        raise StoreError(
            f"'{target}' exists and is no site made by `unitscope export`.",
            expected="a new or empty folder, or such a site",
            fix="Give another folder; nothing was changed.",
        )


def _is_ours(target: Path) -> bool:
    if target.is_symlink() or not (target / SEAL).is_file():
        return False
    try:
        seal = read_json(target / SEAL)
    except StoreError:
        return False
    return isinstance(seal, dict) and "unitscope" in seal


def _replace(partial: Path, target: Path) -> None:
    """Put the finished site in its place; what was there before goes only when the new one stands."""
    old = target.with_name(f".{target.name}.replaced")
    if target.exists():
        shutil.rmtree(old, ignore_errors=True)
        target.rename(old)
    try:
        partial.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _write(data: SiteData, folder: Path, progress: Progress) -> None:
    """Write all files of a site into a folder."""
    _write_assets(data, folder)
    for name, page in (("index", pages.overview_page), ("units", pages.units_page), ("concepts", pages.concepts_page)):
        _text(folder / f"{name}.html", page(data))
    names = list(data.concept_rows)
    found = agreements(data)
    (folder / "concepts").mkdir()
    for done, name in enumerate(names):
        progress("writing pages of concepts", done, len(names))
        _text(folder / "concepts" / f"{slug(name)}.html", pages.concept_page(data, name, None, found))
    for layer in data.layers:
        (folder / "units" / slug(layer.address)).mkdir(parents=True)
    for done, key in enumerate(data.reported):
        progress("writing pages of units", done, len(data.reported))
        _text(folder / "units" / slug(key[0]) / f"{key[1]}.html", pages.unit_page(data, key))
    _write_beside(data, folder, progress)
    _copy_images(data, folder)
    write_json(folder / SEAL, {"unitscope": __version__, "key": data.manifest["key"]})


def _write_beside(data: SiteData, folder: Path, progress: Progress) -> None:
    """Pages of results beside the atlas, of the kinds that it has."""
    for kind, _, _ in data.beside.pages:
        _text(folder / f"{kind}.html", pages.listing_page(data, kind))
        (folder / kind).mkdir()
        names = [annex.name for annex in data.beside.of(kind)]
        for done, name in enumerate(names):
            progress(f"writing pages of {kind}", done, len(names))
            _text(folder / kind / f"{slug(name)}.html", pages.BESIDE[kind](data, name))


def _write_assets(data: SiteData, folder: Path) -> None:
    assets = folder / "assets"
    assets.mkdir()
    source = resources.files("unitscope.report.site") / "static"
    for name in STATIC:
        (assets / name).write_bytes((source / name).read_bytes())
    _text(assets / "vega.js", charts.bundle())
    _text(assets / "units.js", f"window.unitscopeUnits={script_json(unit_table(data))};\n")


def _copy_images(data: SiteData, folder: Path) -> None:
    """Copy the images that clips show; the atlas keeps them in `images/`."""
    names = {row["image"] for row in data.items.values() if row.get("image")}
    home = (data.atlas.path / "images").resolve()
    for name in sorted(names):
        source = (home / name).resolve()
        if home not in source.parents:
            raise StoreError(
                f"Image '{name}' of the atlas lies outside its folder.", fix="Restore the atlas from a copy."
            )
        place = folder / "images" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)


def _text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
