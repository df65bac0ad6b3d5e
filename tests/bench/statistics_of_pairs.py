# SPDX-License-Identifier: BSD-3-Clause
"""Medians, and ratios pair by pair: what was measured in one round is compared with what was measured in the same round."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]


@dataclass
class Ratio:
    """Of one subject to the first, round by round."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        if not self.spread_is_seen():
            return f"{self.median:.2f} ×"
        return f"{self.median:.2f} × ({self.least:.2f}–{self.most:.2f})"

    def spread_is_seen(self) -> bool:
        return f"{self.least:.2f}" != f"{self.most:.2f}"


def median(values: list[float]) -> float:
    return statistics.median(values)


def pairs(mine: list[float], other: list[float]) -> list[tuple[float, float]]:
    """The values of one round each; a subject that failed in a later round has fewer."""
    return list(zip(mine, other, strict=False))


def ratio(figure: Json, subject: str, base: str) -> Ratio | None:
    mine, other = figure["values"].get(subject), figure["values"].get(base)
    if subject == base or not mine or not other or any(value == 0 for value in other):
        return None
    ratios = [a / b for a, b in pairs(mine, other)]
    return Ratio(median(ratios), min(ratios), max(ratios))
