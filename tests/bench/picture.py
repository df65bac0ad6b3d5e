# SPDX-License-Identifier: BSD-3-Clause
"""Draws ratios to the floor as bars on a logarithmic scale, with what is to be reached marked."""

from __future__ import annotations

import math
from html import escape
from typing import Any

from statistics_of_pairs import Ratio, ratio

Json = dict[str, Any]

COLOURS = {"echo": "#0072b2", "lua": "#003f5c", "xeus": "#d55e00", "xpython": "#e69f00", "ipykernel": "#999999"}
WIDTH, LEFT, RIGHT = 960, 120, 110
TITLE, BAR, GAP = 20, 15, 14
LEAST, MOST = 0.3, 1000.0


def x_of(value: float) -> float:
    share = math.log(min(max(value, LEAST), MOST) / LEAST) / math.log(MOST / LEAST)
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def as_cost(figure: Json, found: Ratio) -> Ratio:
    """To the right is always worse: of what should be much, the floor's is divided by the subject's."""
    if not figure["more_is_better"]:
        return found
    return Ratio(1 / found.median, 1 / found.most, 1 / found.least)


def limits(figure: Json) -> dict[str, float]:
    """The targets that are ratios to the floor's own figure, by subject."""
    return {
        target["subject"]: 1 / target["limit"] if figure["more_is_better"] else target["limit"]
        for target in figure["targets"]
        if target["compared"] == "ratio" and target["with_subject"] == "floor" and target["with_figure"] == figure["id"]
    }


def text(x: float, y: float, words: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(words)}</text>'


def bar(figure: Json, subject: str, found: Ratio, y: float) -> list[str]:
    cost = as_cost(figure, found)
    start, end = sorted((x_of(1), x_of(cost.median)))
    mark = x_of(limits(figure)[subject]) if subject in limits(figure) else None
    middle = y + (BAR - 3) / 2
    width, colour = max(end - start, 1), COLOURS.get(subject, "#555")
    words = f"{cost.median:.2f} ×" if cost.median < 10 else f"{cost.median:.0f} ×"
    parts = [
        text(LEFT - 8, y + 10, subject, 'text-anchor="end"'),
        f'<rect x="{start:.1f}" y="{y}" width="{width:.1f}" height="{BAR - 3}" fill="{colour}"/>',
        f'<path d="M{x_of(cost.least):.1f} {middle}H{x_of(cost.most):.1f}" stroke="#222" stroke-width="1"/>',
        text(max(end, x_of(cost.most), mark or 0) + 6, y + 10, words),
    ]
    if mark:
        parts.append(f'<path d="M{mark:.1f} {y - 2}v{BAR + 1}" stroke="#d00000" stroke-width="3"/>')
    return parts


def scale(bottom: float) -> list[str]:
    parts = []
    for value in (0.5, 1, 2, 5, 10, 100, 1000):
        x = x_of(value)
        look = 'stroke="#222" stroke-width="1.5"' if value == 1 else 'stroke="#ddd"'
        parts.append(f'<path d="M{x:.1f} 44V{bottom:.1f}" {look}/>')
        parts.append(text(x, 40, "the floor" if value == 1 else f"{value:g} ×", 'text-anchor="middle" fill="#555"'))
    return parts


def draw(result: Json) -> str:
    base = result["subjects"][0]
    parts: list[str] = []
    y = 60.0
    for figure in result["figures"]:
        found = {name: ratio(figure, name, base) for name in result["subjects"]}
        bars = {name: each for name, each in found.items() if each and each.median > 0}
        if not limits(figure) or not bars:
            continue
        parts.append(text(LEFT, y + 10, figure["title"], 'font-weight="bold"'))
        y += TITLE
        for name, each in bars.items():
            parts += bar(figure, name, each, y)
            y += BAR
        y += GAP
    head = "Cost as a multiple of the floor's; the lines are the spread over the rounds, red is what is to be reached"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {y:.0f}" font-family="sans-serif" font-size="12">',
            f"<title>{escape(head)}</title>",
            '<rect width="100%" height="100%" fill="#fff"/>',
            text(LEFT, 18, head, 'font-size="13"'),
            *scale(y - GAP),
            *parts,
            "</svg>\n",
        ]
    )
