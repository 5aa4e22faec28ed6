"""Page functions: an atlas and parameters in, HTML out. Nothing is written and nothing is fetched.

The static site calls them for every page; a server may call them for one. What a page shows comes as plain data from
the `*_view` functions, which can be given as JSON just as well.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from unitscope import __version__
from unitscope.report import comparison as compared
from unitscope.report import plain
from unitscope.report.site import charts, clips, curves, drawings, effect_drawings, effect_words, inert
from unitscope.report.site.attribution_view import attribution_view, attributions_view
from unitscope.report.site.comparison_view import comparison_view, comparisons_view
from unitscope.report.site.concept_view import Agreement, concept_view
from unitscope.report.site.data import SiteData, UnitKey
from unitscope.report.site.effect_view import effect_view, effects_view
from unitscope.report.site.overview_view import concept_bars, kinds, overview_view, passport_rows
from unitscope.report.site.probe_view import probe_view, probes_view, who
from unitscope.report.site.ranking_view import ranking_view, rankings_view
from unitscope.report.site.steering_view import lede as steered
from unitscope.report.site.steering_view import score, steering_list, steering_view, strength_points
from unitscope.report.site.unit_view import unit_view

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class Links:
    """Addresses of pages and files, relative to a page: `root` leads from it to the site's root."""

    root: str = ""

    def page(self, name: str) -> str:
        """One of the pages at the root: `index`, `units`, `concepts`; where there are any `rankings`, `probes` ..."""
        return f"{self.root}{name}.html"

    def unit(self, layer: str, unit: int) -> str:
        """A unit's page."""
        return f"{self.root}units/{inert.slug(layer)}/{unit}.html"

    def concept(self, name: str) -> str:
        """A concept's page."""
        return f"{self.root}concepts/{inert.slug(name)}.html"

    def beside(self, kind: str, name: str) -> str:
        """The page of a result beside the atlas: a ranking, a probe, a comparison."""
        return f"{self.root}{kind}/{inert.slug(name)}.html"

    def asset(self, name: str) -> str:
        """A file of styles, scripts or data."""
        return f"{self.root}assets/{name}"

    def image(self, name: str) -> str:
        """An image of the corpus."""
        from urllib.parse import quote

        return f"{self.root}images/{quote(name)}"


@cache
def environment() -> Environment:
    """Templates with autoescape; compiled once."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    env = Environment(
        loader=PackageLoader("unitscope.report.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    for module in (plain, drawings, clips):
        env.globals.update({name: value for name, value in vars(module).items() if callable(value) and name[0] != "_"})
    env.globals.update(version=__version__, slug=inert.slug, embedded=charts.embedded, clip_list=clips.listed)
    env.globals.update(who=who, change=compared.change, alike=compared.alike)
    for name in ("amount", "ends", "span", "VERDICTS"):
        env.globals[name] = getattr(effect_words, name)
    env.globals.update(
        deviation=effect_drawings.deviation,
        dose=effect_drawings.dose,
        is_number=effect_words.known,
        score=score,
        lede_of=steered,
    )
    env.filters["inert"] = inert.inert
    env.filters["clean"] = plain.clean
    env.globals["parts"] = env.get_template("parts.html").module
    return env


def _page(data: SiteData, template: str, links: Links, **values: Any) -> str:
    study = data.manifest["study"]
    text = (
        environment()
        .get_template(template)
        .render(
            links=links, data=data, model=study["model"], corpus=study["corpus"], key=data.manifest["key"], **values
        )
    )
    return text.encode("utf-8", "replace").decode("utf-8")


def overview_page(data: SiteData, links: Links | None = None) -> str:
    """The atlas at a glance: layers, findings, concepts, caveats and the manifest."""
    specs = {
        "scatter": charts.scatter(kinds(data), data.words(data.layers[0].address)),
        "passport": charts.passport(passport_rows(data)),
    }
    drawn = {"passport": charts.drawn(specs["passport"])}
    return _page(data, "overview.html", links or Links(), view=overview_view(data), specs=specs, drawn=drawn)


def units_page(data: SiteData, links: Links | None = None) -> str:
    """The table of all units; its rows are drawn by a script from `unit_table`."""
    return _page(data, "units.html", links or Links(), kinds=kinds(data))


def concepts_page(data: SiteData, links: Links | None = None) -> str:
    """All concepts with their sizes and units."""
    return _page(data, "concepts.html", links or Links(), rows=concept_bars(data), kinds=kinds(data))


def unit_page(data: SiteData, key: UnitKey, links: Links | None = None) -> str:
    """One unit. Raises StoreError when the atlas has no such unit."""
    return _page(data, "unit.html", links or Links("../../"), view=unit_view(data, key))


def concept_page(
    data: SiteData, name: str, links: Links | None = None, agreement: Mapping[str, Agreement] | None = None
) -> str:
    """One concept. Raises StoreError when the atlas has no such concept."""
    view = concept_view(data, name, agreement)
    spec = charts.profile(view["profile"], kinds(data))
    return _page(data, "concept.html", links or Links("../"), view=view, spec=spec, kinds=kinds(data))


def listing_page(data: SiteData, kind: str, links: Links | None = None) -> str:
    """All results of a kind beside an atlas."""
    views: dict[str, Callable[[SiteData], Any]] = {
        "rankings": rankings_view,
        "probes": probes_view,
        "comparisons": comparisons_view,
        "effects": effects_view,
        "attributions": attributions_view,
        "steering": steering_list,
    }
    return _page(data, f"{kind}.html", links or Links(), view=views[kind](data))


def ranking_page(data: SiteData, name: str, links: Links | None = None) -> str:
    """The rankings of one name. Raises StoreError when the atlas has none of this name."""
    return _page(data, "ranking.html", links or Links("../"), view=ranking_view(data, name))


def probe_page(data: SiteData, name: str, links: Links | None = None) -> str:
    """One probe. Raises StoreError when the atlas has none of this name."""
    view = probe_view(data, name)
    full = view["own"]["value"] if view["own"] else None
    targets = dict.fromkeys(each["target"] for each in view["curves"])
    specs = [
        (target, curves.curve([each for each in view["curves"] if each["target"] == target], full, view["metric"]))
        for target in targets
    ]
    drawn = {target: charts.drawn(spec) for target, spec in specs}
    return _page(data, "probe.html", links or Links("../"), view=view, specs=specs, drawn=drawn)


def comparison_page(data: SiteData, name: str, links: Links | None = None) -> str:
    """One comparison. Raises StoreError when the atlas has none of this name."""
    return _page(data, "comparison.html", links or Links("../"), view=comparison_view(data, name))


def effect_page(data: SiteData, name: str, links: Links | None = None) -> str:
    """One ablation. Raises StoreError when the atlas has none of this name."""
    view = effect_view(data, name)
    spec = curves.effects(view["curve"], view["unedited"], view["metric"]) if view["curve"] else None
    drawn = charts.drawn(spec) if spec else None
    return _page(data, "effect.html", links or Links("../"), view=view, spec=spec, drawn=drawn)


def attribution_page(data: SiteData, name: str, links: Links | None = None) -> str:
    """One attribution. Raises StoreError when the atlas has none of this name."""
    return _page(data, "attribution.html", links or Links("../"), view=attribution_view(data, name))


def steering_page(data: SiteData, name: str, links: Links | None = None) -> str:
    """One steering. Raises StoreError when the atlas has none of this name."""
    view = steering_view(data, name)
    points = strength_points(view["strengths"])
    spec = curves.strengths(points) if points else None
    drawn = charts.drawn(spec) if spec else None
    return _page(data, "steered.html", links or Links("../"), view=view, spec=spec, drawn=drawn)


BESIDE: Mapping[str, Callable[[SiteData, str], str]] = MappingProxyType(
    {
        "rankings": ranking_page,
        "probes": probe_page,
        "comparisons": comparison_page,
        "effects": effect_page,
        "attributions": attribution_page,
        "steering": steering_page,
    }
)
"""The page function of each kind of result beside an atlas."""
