"""A finished probe in words."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

from rich.console import Console

from unitscope.probes.result import ProbeResult, rows_of
from unitscope.report import probe as report

NAN = float("nan")
ABOUT: dict[str, Any] = {
    "kind": "linear",
    "concepts": "upos",
    "metric": "accuracy",
    "classes_asked": ["upos:NOUN", "upos:VERB"],
    "is_number": False,
    "layer_addresses": ["a", "b"],
    "n_units": 100,
    "n_train": 1000,
    "n_held": 990,
    "blocks_train": 50,
    "blocks_held": 49,
    "chosen": {"l1": 0.001, "l2": 0.001},
    "notes": ["3 of 1,993 sites have none of these classes and are left out.", "odd \x1b[31m"],
    "parameters": {"mass": 0.25},
    "smallest": {
        "n_units": 12,
        "of_units": 100,
        "delta": 0.01,
        "reached": True,
        "value": 0.93,
        "low": 0.92,
        "high": 0.94,
    },
}
SCORES = [
    ["linear", "trained", "accuracy", 0.9356, 0.93, 0.941, 990, 49],
    ["linear", "trained", "macro_f1", 0.91, 0.9, 0.92, 990, 49],
    ["form", "none", "accuracy", 0.8, 0.78, 0.82, 990, 49],
    ["majority", "none", "accuracy", 0.15, 0.14, 0.16, 990, 49],
    ["above form", "trained", "accuracy", 0.1356, 0.12, 0.15, 990, 49],
    ["control", "trained", "accuracy", 0.58, 0.56, 0.6, 990, 49],
    ["selectivity", "trained", "accuracy", 0.3556, 0.33, 0.37, 990, 49],
    ["linear", "untrained", "accuracy", 0.94, 0.93, 0.95, 990, 49],
    ["above untrained", "trained", "accuracy", -0.0044, -0.01, 0.001, 990, 49],
]
RESULT = ProbeResult(
    "upos",
    ABOUT,
    rows_of("scores", SCORES),
    curve=rows_of(
        "curve",
        [
            (choice, mode, 0.1, 10, value, 0.1, 0.9)
            for mode in ("mask", "retrain")
            for choice, value in (("top", 0.812), ("random", 0.5), ("bottom", NAN))
        ],
    ),
    classes=rows_of(
        "classes",
        [
            ("upos:NOUN", 500, 400, 0.95, 0.9, 0.97, 0.9, 0.5, 0.9, 4, 1, 3),
            ("upos:VERB", 500, 590, 0.9, NAN, NAN, 0.9, NAN, 0.4, 30, 27, 3),
        ],
    ),
    layers=rows_of(
        "layers",
        [
            ("upos:NOUN", "a", 3, 0.75, 0.6),
            ("upos:NOUN", "b", 1, 0.25, 0.4),
            ("upos:VERB", "a", 10, 1 / 3, 0.3),
            ("upos:VERB", "b", 20, 2 / 3, 0.7),
            ("all", "a", 11, 11 / 31, 0.4),
            ("all", "b", 20, 20 / 31, 0.6),
        ],
    ),
)


def printed(result: ProbeResult) -> str:
    console = Console(file=io.StringIO(), width=150, markup=False, highlight=False)
    console.print(report.summary(result))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_sentences() -> None:
    assert report.sentences(RESULT) == [
        "Trained on 1,000 sites in 50 blocks, judged on 990 others in 49 blocks.",
        "Accuracy is .936 [.930, .941]; the same probe on the untrained copy .940, word identity alone .800, the most "
        "frequent class .150.",
        "It is not clearly above or below the untrained copy: -.004 [-.010, +.001].",
        "It is above word identity: +.136 [+.120, +.150].",
        "Selectivity is .356 (classes drawn at random for each word form: .580).",
        "On training blocks kept aside 12 of 100 units (12 %) come within .010 of all; a probe of so many has accuracy "
        ".930 [.920, .940] on the evaluation sites.",
        "Most of the units it leans on are in b (65 %) and a (35 %).",
        "3 of 1,993 sites have none of these classes and are left out.",
        "odd \ufffd[31m",
    ]


def test_what_is_not_there_is_not_told() -> None:
    bare = replace(RESULT, scores=RESULT.scores[:1], curve=(), classes=(), layers=())
    told = report.sentences(replace(bare, about={**ABOUT, "smallest": None, "notes": []}))
    assert told[1:] == ["Accuracy is .936 [.930, .941]."]
    few = [[*SCORES[0][:4], NAN, NAN, 990, 4], [*SCORES[4][:4], None, None, 990, 4]]
    told = report.sentences(replace(bare, scores=rows_of("scores", few), about={**ABOUT, "smallest": None}))
    assert told[1:3] == ["Accuracy is .936.", "It is +.136 from word identity (no interval: too few blocks)."]


def test_a_number_that_no_units_reach() -> None:
    about = {**ABOUT, "is_number": True, "metric": "r2", "smallest": {**ABOUT["smallest"], "reached": False}}
    scores = [[*row[:2], "r2", *row[3:]] for row in SCORES if row[2] == "accuracy"]
    told = report.sentences(replace(RESULT, about=about, scores=rows_of("scores", scores)))
    assert told[1].startswith("R² is .936 [.930, .941]")
    assert told[1].endswith("the mean .150.")
    assert "On the selection split no number of its units came within reach of all." in told


def test_every_number_is_on_the_page() -> None:
    page = printed(RESULT)
    for words in (
        "linear probe, untrained copy",
        "10 (10 %)",
        ".812",
        "upos:VERB",
        "above word identity",
        "65 %",
        "Units that hold 25 % of a class' weight mass, by layer",
    ):
        assert words in page
    assert "nan" not in page
    assert "\x1b" not in page
