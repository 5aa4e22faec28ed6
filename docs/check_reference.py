"""What docs/reference must name: commands and options, measures, concepts, corpora, errors, files and columns.

Each is read off the program or off an atlas, and looked for as inline code in the page, in the section where it
belongs. Options that the docs name and the program lacks are found too, and parts of the package that docs/design.md
does not name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

CODE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"--[a-z][a-z0-9-]*")
OTHER_OPTIONS = ("--version", "--help")


def undocumented(root: Path, atlas: Path) -> list[str]:
    """All that is not documented, and options that do not exist. `atlas` is one with both baselines."""
    reference = root / "docs" / "reference"
    found: list[str] = []
    for check in (_commands, _measures, _rankings, _concepts, _corpora, _models, _errors, _python):
        found += check(reference)
    found += _comparisons(reference, atlas)
    for each in (atlas, atlas.with_name("decoder-atlas")):
        found += _atlas_files(reference, each) if each.exists() else []
    found += _unknown_options(root)
    return found + _design(root)


def section(text: str, title: str) -> str:
    """The part of a page below a heading of the second level, up to the next one; empty where there is none."""
    parts = re.split(r"^## +", text, flags=re.M)
    return next((part for part in parts[1:] if part.split("\n", 1)[0].strip().strip("`") == title), "")


def lacks(page: Path, names: Iterable[str], title: str = "") -> list[str]:
    """Names that a page (or one section of it) does not hold as inline code."""
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    where = f"{page.name}, section '{title}'" if title else page.name
    known = _code(section(text, title) if title else text)
    return [f"docs/reference/{where} does not name `{name}`" for name in names if name not in known]


def _code(text: str) -> set[str]:
    """Inline code, whole and by its words and the parts of lists."""
    found: set[str] = set()
    for code in CODE.findall(text):
        found |= {code, *re.split(r"[ ,=:(]+|(?<=Atlas)\.", code), *code.split()}
    return found


def verbs() -> dict[str, Any]:
    """Commands of the command line by name."""
    import typer

    from unitscope.cli import app

    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


def options(command: Any) -> Iterator[str]:
    """Options and arguments of a command, as they are written."""
    for parameter in command.params:
        if parameter.param_type_name == "option":
            yield from (name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("--"))
        else:
            yield (parameter.metavar or parameter.name).strip("{}.").upper().rstrip(".")


def _commands(reference: Path) -> list[str]:
    found = []
    for name, command in verbs().items():
        found += lacks(reference / "commands.md", options(command), f"unitscope {name}")
    return found


def _unknown_options(root: Path) -> list[str]:
    known = {option for command in verbs().values() for option in options(command)} | set(OTHER_OPTIONS)
    found = []
    for page in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        for code in CODE.findall(text):
            if not code.startswith(("--", "unitscope ")):
                continue
            unknown = [option for option in OPTION.findall(code) if option not in known]
            found += [f"{page.relative_to(root)} names `{option}`, which no command has" for option in unknown]
    return found


def _measures(reference: Path) -> list[str]:
    from unitscope.measures import measures

    page = reference / "measures.md"
    found = []
    for name, kind in measures().items():
        found += lacks(page, (name,))
        found += lacks(page, (field.name for field in fields(kind)), name)
    return found


def _rankings(reference: Path) -> list[str]:
    """Every method of ranking has a section that names its parameters; so have the figures of agreement."""
    from unitscope.rankings.agreement import Agreement
    from unitscope.rankings.base import Origin, Ranking
    from unitscope.rankings.measured import Measured
    from unitscope.rankings.methods import measure_keys, methods

    page = reference / "rankings.md"
    found = lacks(page, measure_keys(), "Measures")
    found += lacks(page, (field.name for field in fields(Measured) if field.name != "measure"), "Measures")
    for name, kind in methods().items():
        text = page.read_text(encoding="utf-8") if page.exists() else ""
        if not section(text, name):
            found.append(f"docs/reference/rankings.md has no section '{name}'")
        found += lacks(page, (field.name for field in fields(kind)), name)
    figures = [each.name for each in fields(Agreement) if each.type == "Floats"]
    parts = [each.name for kind in (Ranking, Origin) for each in fields(kind)]
    return found + lacks(page, figures, "Agreement") + lacks(page, parts, "In Python")


def _concepts(reference: Path) -> list[str]:
    from unitscope import concepts
    from unitscope.concepts import covariates, files, pictures, spacy, words

    page = reference / "concepts.md"
    names = [*concepts.SPECS, *files.KEYS, *spacy.COLUMNS]
    names += [*(name for _, name in words.POSITIONS), words.OPEN_POSITION, "last"]
    names += [name for bins in (covariates.LENGTHS, covariates.FREQUENCIES) for _, name in bins]
    names += [covariates.OPEN_LENGTH, covariates.OPEN_FREQUENCY]
    names += [covariates.CAPITALISED, covariates.ALL_CAPS, covariates.HAS_DIGIT]
    names += [*pictures.ROWS, *pictures.COLUMNS, *pictures.GREYS, *pictures.COLOURS]
    return lacks(page, names)


def _corpora(reference: Path) -> list[str]:
    from unitscope.corpora import PACKED, READERS, TABLES, hub, parallel, table
    from unitscope.corpora.columns import ROLES
    from unitscope.corpora.conllu import COLUMNS
    from unitscope.corpora.demo import DemoCorpus

    page = reference / "corpora.md"
    found = lacks(page, [*READERS, *TABLES, PACKED, hub.PREFIX, *ROLES, "demo", "unitscope.corpora"])
    found += lacks(page, [table.NO_TEXT, table.EMPTY_WORD, table.BROKEN, parallel.ONE_SIDED])
    found += lacks(page, COLUMNS, ".conllu")
    return found + lacks(page, DemoCorpus(n_documents=1).columns, "demo")


def _models(reference: Path) -> list[str]:
    from unitscope.api import RESAMPLINGS
    from unitscope.models import roles
    from unitscope.models.adapters import Encoded

    names = [roles.HIDDEN, roles.NEURONS, roles.HEADS, roles.EMBEDDING, roles.RECURRENT, *RESAMPLINGS]
    names += ["window", "truncate", "encode", "pads", "max_positions", "normalise", "probe_word"]
    return lacks(reference / "models.md", [*names, *(field.name for field in fields(Encoded))])


def _errors(reference: Path) -> list[str]:
    from unitscope import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    names = [kind.__name__ for kind in kinds if issubclass(kind, errors.UnitscopeError)]
    return lacks(reference / "errors.md", names)


def _python(reference: Path) -> list[str]:
    import unitscope
    from unitscope.api import Settings
    from unitscope.atlas import Atlas, UnitRecord

    page = reference / "python.md"
    methods = [name for name in vars(Atlas) if not name.startswith("_")]
    found = lacks(page, (name for name in unitscope.__all__ if not name.startswith("_")))
    found += lacks(page, (field.name for field in fields(Settings)), "unitscope.map")
    found += lacks(page, methods, "Atlas")
    return found + lacks(page, (field.name for field in fields(UnitRecord)), "Atlas")


def _atlas_files(reference: Path, atlas: Path) -> list[str]:
    from pyarrow import parquet

    page = reference / "atlas-files.md"
    manifest = json.loads((atlas / "manifest.json").read_text(encoding="utf-8"))
    keys = sorted(manifest["measures"], key=len, reverse=True)
    found = lacks(page, sorted({_general(path.relative_to(atlas).as_posix(), keys) for path in _files(atlas)}))
    for path in sorted(atlas.glob("*.parquet")):
        columns = dict.fromkeys(_column(name, keys) for name in parquet.read_schema(path).names)
        found += lacks(page, columns, path.name)
    summary = manifest["summary"]["trained"]
    parts = [manifest, manifest["study"], manifest["study"]["layers"][0], *manifest["grids"].values()]
    parts += [manifest["notes"], manifest["notes"]["resampling"], manifest["notes"]["writes"], *summary.values()]
    parts += [manifest["measures"][keys[0]]]
    layers = {layer["address"] for layer in manifest["study"]["layers"]}
    found += lacks(page, dict.fromkeys(name for part in parts for name in part if name not in layers), "manifest.json")
    return found + lacks(page, json.loads((atlas / "run.json").read_text(encoding="utf-8")), "run.json")


def _comparisons(reference: Path, atlas: Path) -> list[str]:
    """Tables of a comparison with the atlas' own untrained copy, and what its record holds."""
    from unitscope.comparison import STATUSES, compare

    found = compare(atlas, f"{atlas}@untrained")
    names = [*STATUSES, *found.tables, *found.about, *(name for table in found.tables.values() for name in table)]
    known = [name for name in names if name != "type"]
    return lacks(reference / "atlas-files.md", [*known, *found.about["a"], *found.about["chance"]], "comparisons/")


def _design(root: Path) -> list[str]:
    """Parts of the package and modules of its study that the page on the design does not name."""
    package, known = root / "src" / "unitscope", _code((root / "docs" / "design.md").read_text(encoding="utf-8"))
    parts = [path.name if path.suffix else f"{path.name}/" for path in package.iterdir() if _is_part(path)]
    names = [*parts, *(path.stem for path in (package / "study").glob("[!_]*.py"))]
    return [f"docs/design.md does not name `{name}`" for name in sorted(set(names)) if name not in known]


def _is_part(path: Path) -> bool:
    return path.name[0] not in "_." and (path.suffix == ".py" or path.is_dir())


def _files(atlas: Path) -> Iterator[Path]:
    return (path for path in atlas.rglob("*") if path.is_file())


def _general(name: str, keys: Iterable[str]) -> str:
    name = re.sub(r"^baselines/[a-z]+\.", "baselines/VARIANT.", name)
    name = re.sub(r"^bases/.*\.safetensors$", "bases/LAYER.safetensors", name)
    return next(("scores/KEY.safetensors" for key in keys if name == f"scores/{key}.safetensors"), name)


def _column(name: str, keys: Iterable[str]) -> str:
    kinds = ("score", "chance", "ceiling")
    return next((f"{kind}_KEY" for kind in kinds for key in keys if name == f"{kind}_{key}"), name)
