"""A contest of bases on one layer: its own units, random rotations, principal components, latents of an autoencoder.

All bring the same number of units, as they are (`dense`) and thinned to one density (`sparse`: each is on at the same
share of half A's sites). They are layers of one study a seed, so that halves, concepts, controls and tests are the
same for all. A seed draws halves, the rotation, which units are taken, and the autoencoder's start.

What is compared: the share of units with a contextual match, the strongest effect within form and position of each
unit, and what two seeds agree on: concepts found again, and each unit's greatest correlation with a unit of the other
seed's basis. The rotation is the level that a basis without meaning reaches.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from unitscope.atlas import Atlas, write_table
from unitscope.bases.specs import BasisSpec, Given, Pca, Request, Rotation
from unitscope.errors import PlanError
from unitscope.store import write_json
from unitscope.study.run import Progress, silent

if TYPE_CHECKING:
    from unitscope.bases.base import Basis
    from unitscope.models.base import Layer, Model
    from unitscope.sites import Item

ARMS = ("neurons", "rotation", "pca", "sae")
FORMS = ("dense", "sparse")
LEVELS = (0.5, 0.9, 0.99)
MOST_SITES = 4096
"""Sites that correlations of units rest on."""
FIGURES = ("contextual", "reported", "effect_50", "effect_90", "effect_99", "concepts")
AGREEMENTS = ("found_again", "correlation")


@dataclass(frozen=True)
class Contest:
    """What is compared. `units` None: as many as the layer has. `sae` are folders, one or one a seed; none: trained.

    An autoencoder is trained on items of the corpus of groups that are not mapped.
    """

    layer: str
    units: int | None = None
    density: float = 0.02
    seeds: int = 3
    max_items: int | None = 1000
    sae: tuple[str, ...] = ()
    latents: int = 1536
    k: int = 32
    steps: int = 600
    train_items: int = 6000
    concepts: tuple[str, ...] = ()
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.seeds < 2:
            raise PlanError(f"Got {self.seeds} seed(s).", expected="2 or more, or nothing could agree")
        if not 0 < self.density < 0.5:
            raise PlanError(f"Got density {self.density}.", expected="a share between 0 and 0.5")
        if len(self.sae) not in (0, 1, self.seeds):
            raise PlanError(f"Got {len(self.sae)} autoencoders for {self.seeds} seeds.", expected="one, or one a seed")


@dataclass(frozen=True)
class Standing:
    """One figure of one arm: mean over seeds (or pairs of seeds), and its 95 % interval over them."""

    arm: str
    form: str
    figure: str
    value: float
    low: float
    high: float
    each: tuple[float, ...] = field(default=())


def contest(model: str, corpus: str, out: str | Path, settings: Contest, progress: Progress = silent) -> list[Standing]:
    """Run a contest; its atlases, autoencoders and `contest.json`, `contest.parquet` go to `out`.

    Goes on where an earlier call was stopped. Raises a `UnitscopeError` that says how to mend it.
    """
    from unitscope.models import load_model

    loaded = load_model(model, threads=1)
    layer = loaded.resolve([settings.layer])[0]
    settings = replace(settings, layer=layer.address, units=settings.units or layer.width)
    folder = Path(out)
    saes = _autoencoders(loaded, layer, corpus, folder, settings, progress)
    atlases = [_map(model, corpus, folder, settings, seed, saes[seed], progress) for seed in range(settings.seeds)]
    found = figures(atlases, settings)
    progress("comparing seeds", 0, 1)
    items = itertools.islice(_items(corpus), settings.max_items)
    found += agreements(atlases, loaded, layer, items, settings)
    progress("comparing seeds", 1, 1)
    _write(folder, found, settings, atlases)
    return found


def _autoencoders(
    model: Model, layer: Layer, corpus: str, folder: Path, settings: Contest, progress: Progress
) -> list[Basis]:
    """One autoencoder a seed: as given, or trained, or as trained by an earlier call."""
    from unitscope.bases.saelens import CONFIG, saelens, write_saelens
    from unitscope.bases.train_sae import Training, layer_values, train_sae

    if settings.sae:
        read = [saelens(Path(each).expanduser()) for each in settings.sae]
        return read * settings.seeds if len(read) == 1 else read
    values: NDArray[np.float32] | None = None
    found = []
    for seed in range(settings.seeds):
        name = f"{layer.address}-{settings.latents}-{settings.k}-{settings.steps}-{settings.train_items}-{seed}"
        path = folder / "autoencoders" / name
        if not (path / CONFIG).exists():
            if values is None:
                progress("reading values to train on", 0, 0)
                values = layer_values(model, layer, _unmapped(corpus, settings))
                if not len(values):
                    raise PlanError(
                        f"All groups of '{corpus}' are mapped; none is left to train an autoencoder on.",
                        fix="Map fewer items (--max-items), or give an autoencoder (--sae).",
                    )
            batch = min(Training.batch, max(32, len(values) // 4))
            training = Training(settings.latents, settings.k, settings.steps, batch, seed=seed)
            trained = train_sae(values, training, lambda n, of: progress("training autoencoders", n, of))
            lost = unexplained(trained, values[-4096:])
            write_saelens(path, trained, {"model_name": model.name, "hook_name": layer.address, "unexplained": lost})
        found.append(saelens(path))
    return found


def unexplained(basis: Basis, values: NDArray[np.float32]) -> float:
    """Share of the variance of values [S, D] that a basis does not reconstruct."""
    import torch

    rows = torch.from_numpy(values)
    with torch.inference_mode():
        left = basis.error(rows).square().sum()
    return float(left / (rows - rows.mean(dim=0)).square().sum())


def _items(corpus: str) -> Iterator[Item]:
    from unitscope.corpora import load_corpus

    return iter(load_corpus(corpus))


def _unmapped(corpus: str, settings: Contest) -> Iterator[Item]:
    """Items of groups that are not mapped."""
    items = _items(corpus)
    mapped = {item.group for item in itertools.islice(items, settings.max_items)}
    return itertools.islice((item for item in items if item.group not in mapped), settings.train_items)


def requests(settings: Contest, seed: int, sae: Basis) -> list[Request]:
    """The bases of one seed's study."""
    from unitscope.bases.gate import Gate

    assert settings.units is not None
    inner: dict[str, BasisSpec | None] = {
        "neurons": None,
        "rotation": Rotation(seed + 1),
        "pca": Pca(),
        "sae": Given("sae", sae),
    }
    densities = {"dense": None, "sparse": settings.density}
    return [(settings.layer, Gate(inner[arm], settings.units, densities[form], seed)) for arm in ARMS for form in FORMS]


def address(layer: str, arm: str, form: str) -> str:
    """Layer of an arm in a seed's atlas.

    >>> address("encoder.layer.3", "pca", "sparse")
    'encoder.layer.3~pca-sparse'
    """
    return f"{layer}~{arm}" + ("-sparse" if form == "sparse" else "")


def _map(model: str, corpus: str, folder: Path, settings: Contest, seed: int, sae: Basis, progress: Progress) -> Atlas:
    from unitscope.api import Settings, make_run

    chosen = Settings(
        layers=[f"{settings.layer}~*"],
        bases=requests(settings, seed, sae),
        concepts=settings.concepts,
        measures=["auroc"],
        seed=seed,
        max_items=settings.max_items,
        workers=settings.workers,
    )

    def shown(what: str, done: int, of: int) -> None:
        progress(f"seed {seed}: {what}", done, of)

    return make_run(model, corpus, folder / f"seed-{seed}", chosen, shown).finish()


def figures(atlases: Sequence[Atlas], settings: Contest) -> list[Standing]:
    """Figures of every arm from the seeds' atlases, with intervals over seeds."""
    found = []
    for arm, form in itertools.product(ARMS, FORMS):
        at = address(settings.layer, arm, form)
        rows = [_of_atlas(atlas, at) for atlas in atlases]
        found += [standing(arm, form, name, [row[name] for row in rows]) for name in FIGURES]
    return found


def _of_atlas(atlas: Atlas, layer: str) -> dict[str, float]:
    """Figures of one layer of one atlas."""
    counts = atlas.summary["trained"][layer]
    rows = atlas.sql(
        "select max(within_form_position) as effect from tests where layer = ? and within_form_position is not null "
        "group by unit",
        [layer],
    )
    effects = np.array([row["effect"] for row in rows])
    quantiles = np.quantile(effects, LEVELS) if len(effects) else np.full(len(LEVELS), np.nan)
    return {
        "contextual": counts["with_context"] / counts["units"],
        "reported": counts["reported"] / counts["units"],
        **{f"effect_{round(100 * level)}": float(value) for level, value in zip(LEVELS, quantiles)},
        "concepts": float(len(contextual_concepts(atlas, layer))),
    }


def contextual_concepts(atlas: Atlas, layer: str) -> set[str]:
    """Concepts that some unit of a layer is contextual for."""
    rows = atlas.sql(
        "select distinct concept from matches where layer = ? and measure = 'auroc' and kind = 'contextual'", [layer]
    )
    return {row["concept"] for row in rows}


def standing(arm: str, form: str, figure: str, each: Sequence[float]) -> Standing:
    """Mean of repeats with its 95 % interval by Student's t, cut at what is possible; NaN where there are too few."""
    values = np.array([value for value in each if not math.isnan(value)])
    if not len(values):
        return Standing(arm, form, figure, math.nan, math.nan, math.nan, tuple(each))
    mean = float(values.mean())
    low = high = math.nan
    if len(values) > 1:
        from scipy.stats import t

        wide = float(t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
        low, high = max(0.0, mean - wide), mean + wide if figure == "concepts" else min(1.0, mean + wide)
    return Standing(arm, form, figure, mean, low, high, tuple(float(value) for value in each))


def agreements(
    atlases: Sequence[Atlas], model: Model, layer: Layer, items: Iterator[Item], settings: Contest
) -> list[Standing]:
    """What seeds agree on: a figure for each pair of seeds, both ways round, with the interval over seeds.

    `found_again` is the share of one seed's contextual concepts that are the other's too, `correlation` the mean over
    one seed's units of the greatest absolute correlation with a unit of the other's whole basis.
    """
    from unitscope.bases.train_sae import layer_values

    values = layer_values(model, layer, items)[:MOST_SITES]
    found = []
    for arm, form in itertools.product(ARMS, FORMS):
        concepts = [contextual_concepts(atlas, address(settings.layer, arm, form)) for atlas in atlases]
        again = [
            float(np.mean([len(mine & other) / len(mine) for j, other in enumerate(concepts) if j != i]))
            if mine
            else math.nan
            for i, mine in enumerate(concepts)
        ]
        found.append(standing(arm, form, "found_again", again))
    for arm in ARMS:
        bases = [atlas.basis(address(settings.layer, arm, "dense")) for atlas in atlases]
        wholes = [standard_units(replace(basis, chosen=None), values) for basis in bases]
        alike = []
        for i, basis in enumerate(bases):
            mine = wholes[i] if basis.chosen is None else wholes[i][:, basis.chosen]
            others = [greatest_correlation(mine, other) for j, other in enumerate(wholes) if j != i]
            alike.append(float(np.mean(others)))
        found.append(standing(arm, "dense", "correlation", alike))
    return found


def standard_units(basis: Basis, values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Units [S, U] of values [S, D] with mean zero and length one, so that products are correlations."""
    import torch

    with torch.inference_mode():
        units: NDArray[np.float32] = basis.encode(torch.from_numpy(values)).numpy()
    units = units - units.mean(axis=0)
    found: NDArray[np.float32] = units / np.maximum(np.linalg.norm(units, axis=0), np.float32(1e-12))
    return found


def greatest_correlation(units: NDArray[np.float32], others: NDArray[np.float32]) -> float:
    """Mean over units of the greatest absolute correlation with any of the others; both as by `standard_units`."""
    return float(np.minimum(np.abs(units.T @ others).max(axis=1), 1).mean())


def _write(folder: Path, found: Sequence[Standing], settings: Contest, atlases: Sequence[Atlas]) -> None:
    rows = [asdict(each) for each in found]
    plain: list[Mapping[str, Any]] = [
        {name: (None if isinstance(value, float) and math.isnan(value) else value) for name, value in row.items()}
        for row in rows
    ]
    plain = [{**row, "each": [None if math.isnan(value) else value for value in row["each"]]} for row in plain]
    keys = [atlas.manifest["key"] for atlas in atlases]
    about = {**asdict(settings), "sae": [Path(each).name for each in settings.sae]}
    write_json(folder / "contest.json", {"contest": about, "atlases": keys, "figures": plain})
    columns: dict[str, Any] = {
        name: np.array([row[name] for row in rows], object) for name in ("arm", "form", "figure")
    }
    columns |= {name: np.array([row[name] for row in rows], np.float64) for name in ("value", "low", "high")}
    write_table(folder / "contest.parquet", columns)
