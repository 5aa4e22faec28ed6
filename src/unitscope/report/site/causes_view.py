"""What the overview says of causes: what was taken out, attributed and steered, a sentence each."""

from __future__ import annotations

from typing import Any

from unitscope.report.site.attribution_view import attributions_view
from unitscope.report.site.attribution_view import lede as attributed
from unitscope.report.site.data import SiteData
from unitscope.report.site.effect_view import effects_view
from unitscope.report.site.steering_view import lede as steered
from unitscope.report.site.steering_view import steering_list

N_CAUSES = 6


def causes_panel(data: SiteData) -> list[dict[str, Any]]:
    """What was taken out, attributed and steered, a sentence each; up to 6 of a kind."""
    found = [
        {"kind": "effects", "name": each["name"], "title": f"{each['metric']} ({each['task']})", "said": each["said"]}
        for each in effects_view(data)[:N_CAUSES]
    ]
    for flow in attributions_view(data)[:N_CAUSES]:
        said = attributed(flow, flow["judged"])
        found.append(
            {"kind": "attributions", "name": flow["name"], "title": flow["target"], "said": " ".join(said[1:])}
        )
    for each in steering_list(data)[:N_CAUSES]:
        said = steered(each)
        found.append({"kind": "steering", "name": each["name"], "title": each["property"], "said": " ".join(said[:2])})
    return found
