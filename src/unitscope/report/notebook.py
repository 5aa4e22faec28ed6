"""How an atlas, a unit, a concept and clips show themselves in a notebook: the site's components, self-contained.

Nothing is fetched and no script runs. Styles are those of the site, nested in one class so that they touch nothing
else on the page; light and dark follow the notebook where it says so, else the system.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from unitscope.report.plain import chance, clean, count, counted, direction, effect, interval, number, share
from unitscope.report.site import clips as clipping
from unitscope.report.site import drawings

if TYPE_CHECKING:
    from unitscope.atlas import Atlas, ConceptRecord, Row, UnitRecord

SECTIONS = ("kinds", "effects", "clips")
SHOWN_CLIPS, SHOWN_UNITS, SHOWN_CONCEPTS = 6, 10, 10
_OWN = (
    "color:var(--ink);background:var(--paper);font:14px/1.45 var(--sans);padding:.7rem 1rem;border-radius:8px;"
    "max-width:60rem;overflow-wrap:break-word"
)
_TABLES = (
    ".unitscope{table{border-collapse:collapse;margin:.3rem 0}th,td{text-align:left;padding:.15rem .8rem .15rem 0;"
    "background:none;color:inherit;border:0;font-size:.9rem}thead th{color:var(--soft);font-weight:400}"
    "h4{margin:.1rem 0 .3rem;font-size:1rem}.soft{color:var(--soft)}.note{color:var(--soft);margin:.2rem 0}"
    "code{font-family:var(--mono);color:inherit;background:none}.wide{display:block;width:14rem}"
    "td{white-space:nowrap}td b,td code{white-space:normal}}"
)


@cache
def styles() -> str:
    """The site's styles of these components, nested in `.unitscope`."""
    sheet = (resources.files("unitscope.report.site") / "static" / "site.css").read_text(encoding="utf-8")
    light = _between(sheet, ":root {", "}")
    dark = _between(sheet, ':root[data-theme="dark"] {', "}")
    parts = re.split(r"^/\* ([a-z' ]+)(?::[^*]*)? \*/$", sheet, flags=re.M)
    named = dict(zip(parts[1::2], parts[2::2], strict=True))
    rules = "".join(named[name] for name in SECTIONS)
    dark_os = f"@media (prefers-color-scheme:dark){{.unitscope{{{dark}}}}}"
    jupyter = f'[data-jp-theme-light="true"] .unitscope{{{light}}}[data-jp-theme-light="false"] .unitscope{{{dark}}}'
    return f".unitscope{{{light}{_OWN}}}{dark_os}{jupyter}.unitscope{{{rules}}}{_TABLES}"


def _between(text: str, start: str, end: str) -> str:
    at = text.index(start) + len(start)
    return text[at : text.index(end, at)]


def _shown(*parts: str) -> str:
    """One self-contained block."""
    return f'<div class="unitscope"><style>{styles()}</style>{"".join(parts)}</div>'


def _table(heads: Sequence[str], rows: Sequence[Sequence[str | Markup]]) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _kind(name: str | None) -> Markup:
    return Markup('<span class="kind {0}">{0}</span>').format(name or "unreported")


def _name(text: object) -> Markup:
    return Markup("<bdi>{}</bdi>").format(clean(text))


def atlas_html(atlas: Atlas) -> str:
    """An atlas: its layers with their units by kind, beside the baselines, and its most carried concepts."""
    from unitscope.report.site.data import SiteData
    from unitscope.report.site.overview_view import concept_bars, kinds, layer_view

    data = SiteData(atlas)
    names, study = kinds(data), atlas.manifest["study"]
    rows = []
    for info in data.layers:
        for place, each in enumerate(layer_view(data, info.address, names)["variants"]):
            told = f"{each['variant']}: {drawings.told_parts(each['parts'])}"
            bar = Markup('<span class="wide">{}</span>').format(drawings.stacked(each["parts"], told, place > 0))
            got = share(each["counts"]["contextual"], each["units"])
            rows.append([_name(info.address) if not place else "", each["variant"], bar, got])
    found = [
        [_name(row["name"]), count(row["units"]), drawings.told_parts(list(row["parts"].items()))]
        for row in concept_bars(data)[:SHOWN_CONCEPTS]
        if row["units"]
    ]
    legend = Markup(" ").join(_kind(name) for name in (*names, "unreported", "dead"))
    return _shown(
        f"<h4>{_name(study['model'])} over {_name(study['corpus'])}</h4>",
        f'<p class="note">{counted(len(data.units), "unit")}, {count(len(data.reported))} reported; bars are units by '
        f"the kind of their best concept, the figure is the contextual share. {legend}</p>",
        _table(("layer", "", "", "contextual"), rows),
        _table(("concept", "units", ""), found),
    )


def _effects(row: Row) -> list[str | Markup]:
    """A match's cells: direction and concept, drawing, AUROC with interval, effects within strata, q and n."""
    said = f"{'↑' if row['sign'] > 0 else '↓'} {clean(row['concept'])}"
    drawing = Markup('<span class="wide">{}</span>').format(drawings.strip(row["score"], row["low"], row["high"]))
    auroc = Markup('{} <span class="soft">{}</span>').format(effect(row["score"]), interval(row["low"], row["high"]))
    within = (effect(row["within_form"]), effect(row["within_form_position"]), effect(row["untrained_p99"]))
    return [
        Markup("<b>{}</b>").format(_name(said)),
        _kind(row["kind"]),
        drawing,
        auroc,
        *within,
        chance(row["q"]),
        count(row["n"]),
    ]


_HEADS = ("concept", "kind", "", "AUROC", "in form", "in form × position", "untrained", "q", "n")


def unit_html(record: UnitRecord) -> str:
    """A unit: its concepts with their controls, what its variance is made of, and its strongest clips."""
    row = record.row
    matches = [match for match in record.matches if match["measure"] == "auroc"]
    shares = {name.removeprefix("share_"): value for name, value in row.items() if name.startswith("share_")}
    falls = bool(matches and matches[0]["sign"] < 0)
    strongest = record.of_kind("low" if falls else "top")
    concepts = (
        _table(_HEADS, [_effects(match) for match in matches])
        if matches
        else '<p class="note">No concept is reported.</p>'
    )
    return _shown(
        f"<h4><code>{_name(record.address)}</code> {_kind(row['kind'])}</h4>",
        concepts,
        str(drawings.stacked(drawings.passport_parts(shares), drawings.passport_label(shares))),
        f'<p class="note">variance: {escape(drawings.passport_label(shares))}; values from {number(row["least"])} to '
        f"{number(row['greatest'])}</p>",
        _clips(strongest[:SHOWN_CLIPS], row),
    )


def concept_html(record: ConceptRecord) -> str:
    """A concept: its sizes and the units that carry it."""
    sizes = "; ".join(
        f"{count(row['n'])} of {count(row['n_known'])} sites on grid {clean(row['grid'])} ({share(row['prevalence'])})"
        for row in record.rows
    )
    heads = ("unit", "", *_HEADS[1:])
    rows = [
        [
            Markup("<code>{}</code>").format(_name(f"{match['layer']}:{match['unit']}")),
            direction(match["sign"]),
            *_effects(match)[1:],
        ]
        for match in record.matches[:SHOWN_UNITS]
    ]
    more = f" The {SHOWN_UNITS} strongest:" if len(record.matches) > SHOWN_UNITS else ""
    return _shown(
        f"<h4>{_name(record.name)}</h4>",
        f'<p class="note">{escape(sizes)}. {counted(len(record.matches), "unit")} reported.{more}</p>',
        _table(heads, rows) if rows else "",
    )


def clips_html(shown: Sequence[Row], unit: Row) -> str:
    """Clips as heat maps; images by their names and values alone, as their files lie in the atlas."""
    return _shown(_clips(shown, unit))


def _clips(shown: Sequence[Row], unit: Row) -> str:
    scale = clipping.Scale.of(unit)
    entries = []
    for clip in ({**row, "shown": row} for row in shown):
        body = _name(clip["image"]) if clipping.is_image(clip) else clipping.heat_clip(clip, scale)
        entries.append(
            Markup(
                '<li class="clip"><span class="value">{}</span>{}<span class="meta"><bdi>{}</bdi></span></li>'
            ).format(number(clip["value"]), body, clipping.where(clip))
        )
    return f'<ul class="clips">{"".join(entries)}</ul>' if entries else ""
