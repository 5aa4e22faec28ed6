"""What `unitscope ablate` is asked: a task, units, what is done to them, and which sweeps are run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from unitscope.causal.named import check_name
from unitscope.causal.sweeps_dose import QUANTILES
from unitscope.errors import TaskError, closest

EDITS = ("zero", "mean")


@dataclass(frozen=True)
class Question:
    """What is to be ablated and judged; see `unitscope ablate`.

    `ranking` (for `target`) gives curves over `units`, or with `retain` curves of keeping these alone. `single` are
    layers whose units are taken out one by one, `keep_ranking` a name for their order. `doses` are units that are set
    to `quantiles` of their values. `pairs` and `greedy` are numbers of units, of the ranking or else of the single
    units' order, of which the first `candidates` are open to greedy choice. `matches` and `causes` are numbers of the
    atlas' matches, `named` matches of one's own choice: `LAYER:UNIT=CONCEPT`, or without a concept the unit's first.
    """

    task: str
    ranking: str | None = None
    target: str | None = None
    edit: str = "zero"
    units: tuple[int, ...] = (1, 2, 5, 10, 50)
    single: tuple[str, ...] = ()
    matches: int = 0
    named: tuple[str, ...] = ()
    layers: tuple[str, ...] = ()
    draws: int = 5
    max_items: int | None = None
    batch_size: int = 32
    seed: int = 0
    retain: bool = False
    keep_ranking: str | None = None
    doses: tuple[str, ...] = ()
    quantiles: tuple[float, ...] = QUANTILES
    at_concept: bool = False
    pairs: int = 0
    greedy: int = 0
    candidates: int = 30
    causes: int = 0

    def check(self) -> None:
        """Raise TaskError for a question that nothing can answer."""
        if not (self.ranking or self.single or self.matches or self.named or self.doses or self.causes):
            raise TaskError(
                "Got nothing to take out.",
                expected="--ranking NAME, --single LAYER, --matches N, --dose LAYER:UNIT or --causes N",
            )
        if self.edit not in EDITS:
            raise TaskError(f"Unknown edit '{self.edit}'.", expected=", ".join(EDITS), fix=closest(self.edit, EDITS))
        check_name(self.task)
        self._check_needs()
        self._check_numbers()

    def _check_numbers(self) -> None:
        counts = ("matches", "draws", "pairs", "greedy", "causes", "seed")
        for name in counts:
            if getattr(self, name) < 0:
                raise TaskError(f"Got {getattr(self, name)} as '{name}'.", expected="0 or more")
        for name in ("batch_size", "candidates", "max_items"):
            found = getattr(self, name)
            if found is not None and found < 1:
                raise TaskError(f"Got {found} as '{name}'.", expected="1 or more")
        if self.pairs == 1:
            raise TaskError("Got --pairs 1.", expected="2 units or more")
        if self.greedy > self.candidates:
            raise TaskError(
                f"Got --greedy {self.greedy} of {self.candidates} candidates.",
                expected=f"--candidates {self.greedy} or more",
            )
        if not self.quantiles or not all(0 <= q <= 1 for q in self.quantiles):
            raise TaskError(f"Got {list(self.quantiles)} as quantiles.", expected="numbers from 0 to 1, as 0,.5,1")

    def _check_needs(self) -> None:
        """Options that say nothing without another."""
        ordered = bool(self.ranking or self.single)
        needs: Sequence[tuple[bool, str, str, bool]] = (
            (self.retain, "--retain", "--ranking NAME", bool(self.ranking)),
            (bool(self.keep_ranking), "--keep-ranking", "--single LAYER", bool(self.single)),
            (self.at_concept, "--at-concept", "--dose LAYER:UNIT", bool(self.doses)),
            (bool(self.pairs), "--pairs", "--ranking NAME or --single LAYER", ordered),
            (bool(self.greedy), "--greedy", "--ranking NAME or --single LAYER", ordered),
        )
        if self.target and not self.ranking:
            raise TaskError(f"Got the concept '{self.target}' with no ranking.", expected="--ranking NAME beside it")
        for asked, option, other, there in needs:
            if asked and not there:
                raise TaskError(f"Got {option} with no units.", expected=f"{other} beside it")

    @property
    def reads_values(self) -> bool:
        """Whether units' values are needed beside the running model."""
        return bool(self.edit == "mean" or self.doses or self.causes)

    @property
    def chooses(self) -> bool:
        """Whether half A is measured as well."""
        return bool(self.single or self.greedy)


def default_name(question: Question) -> str:
    """A name made of the question."""
    asked = question
    parts = [asked.ranking or "", asked.target or "", asked.task, asked.edit] + ["retain"] * asked.retain
    parts += [f"single-{each}" for each in asked.single] + [f"dose-{each}" for each in asked.doses]
    parts += ["at-concept"] * asked.at_concept + [f"match-{each}" for each in asked.named]
    for name in ("matches", "pairs", "greedy", "causes"):
        n = getattr(asked, name)
        parts += [f"{name}-{n}"] * bool(n)
    # A small trial must not take the place of the whole.
    parts += [f"items-{asked.max_items}"] * bool(asked.max_items) + [f"seed-{asked.seed}"] * bool(asked.seed)
    return re.sub(r"[^\w+=.-]", "_", ".".join(part for part in parts if part))[:100]
