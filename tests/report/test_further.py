from typing import Any

from rich.console import Console, RenderableType

from unitscope.report.further import further

FORMULA = {
    "formula": "upos:NOUN and\x1b[31m not words:a [bold]",
    "length": 2,
    "sign": 1,
    "share": 0.03,
    "score_a": 0.52,
    "score": 0.5,
    "low": 0.4,
    "high": 0.6,
    "p": 0.0001,
    "q": 0.0002,
    "luck_a": 0.04,
    "luck": -0.01,
    "single": "upos:NOUN",
    "single_share": 0.1,
    "single_score": 0.3,
    "cover": 0.65,
    "n": 240,
}
RUNG = {"slot": 1, "concept": "upos:NOUN", "low": 0.7, "high": 0.9, "p": 0.0001, "n": 80, "why": None}
MISSING = {"effect": None, "low": None, "high": None, "p": None, "n": 3, "why": "fewer than 10 minimal pairs vary it"}
LADDER = [
    {**RUNG, "rung": "documents", "effect": 0.8},
    {**RUNG, "rung": "word types", "effect": 0.75},
    {**RUNG, "rung": "minimal pairs", **MISSING},
]


def shown(parts: list[RenderableType], width: int = 100) -> str:
    console = Console(width=width, record=True, file=None, force_terminal=False)
    with console.capture() as capture:
        for part in parts:
            console.print(part)
    return capture.get()


def view(**changed: Any) -> dict[str, Any]:
    return {"matches": [{"slot": 1}], "formulas": [FORMULA], "ladder": LADDER, **changed}


def test_a_formula_stands_beside_the_single_concept_luck_and_what_it_covers() -> None:
    text = shown(further(view()), 200)
    assert "fires on upos:NOUN and\ufffd[31m not words:a [bold]" in text, "harmless, and not read as markup"
    assert "kappa .50 [.40, .60] with its highest 3.0 % of words, q <.001, n 240" in text
    assert "best single concept: upos:NOUN, kappa .30 with its highest 10 %" in text
    assert "kappa -.01; on half A, where formulas are chosen, .04 against .52" in text
    assert "it holds at 65 % of the highest 1 % of words" in text


def test_a_single_concept_is_not_said_twice_and_a_falling_unit_is_lowest() -> None:
    row = {**FORMULA, "length": 1, "sign": -1, "low": None, "high": None, "cover": None}
    text = shown(further(view(formulas=[row])), 200)
    assert "falls on" in text
    assert "no interval with its lowest 3.0 % of words" in text
    assert "best single" not in text
    assert "it holds at" not in text


def test_rungs_are_listed_and_a_missing_one_says_why() -> None:
    text = shown(further(view()))
    assert "upos:NOUN, documents" in text
    assert "word types" in text
    assert "[.70, .90]" in text
    assert "not tested, minimal pairs: fewer than 10 minimal pairs vary it (upos:NOUN)" in text


def test_only_reported_pairs_have_a_ladder() -> None:
    assert "How far" not in shown(further(view(matches=[])))


def test_an_atlas_without_them_shows_nothing() -> None:
    assert further({"matches": [{"slot": 1}]}) == []
