# SPDX-License-Identifier: BSD-3-Clause
"""Figures as Markdown tables, and their places in docs/reliability.md."""

import os
import re
import resource
import statistics
from datetime import date
from pathlib import Path


def percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1] if len(values) > 1 else values[0]


def milliseconds(values: list[float], *percents: int) -> str:
    """The percentiles of seconds, 100 meaning the greatest, as text; a dash where nothing was measured."""
    if not values:
        return "–"
    return " / ".join(f"{1000 * (max(values) if p == 100 else percentile(values, p)):.0f}" for p in percents)


def table(heads: list[str], rows: list[list[object]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


class Machine:
    """Its processors, and how much of them other programs use while this object exists."""

    def __init__(self) -> None:
        self._begin = self._times()

    @staticmethod
    def _times() -> tuple[float, float, float]:
        """Seconds that all processors have had, that they were busy, and that this program and its ended children were."""
        fields = [int(field) for field in Path("/proc/stat").read_text(encoding="ascii").split("\n", 1)[0].split()[1:9]]
        ticks = os.sysconf("SC_CLK_TCK")
        own = sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        idle = fields[3] + fields[4]
        return sum(fields) / ticks, (sum(fields) - idle) / ticks, own

    def describe(self) -> str:
        """In general words: the figures are of a kind of machine, not of one."""
        total, busy, own = (end - begin for end, begin in zip(self._times(), self._begin, strict=True))
        others = max(0.0, busy - own) / total if total else 0.0
        return f"{date.today()}, {os.cpu_count()} cores, {others:.0%} of whose time other programs used"


def replace_block(page: Path, name: str, text: str) -> None:
    """Puts text between <!-- name --> and <!-- /name --> of a page that has them."""
    before = page.read_text(encoding="utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not pattern.search(before):
        raise SystemExit(f"{page}: has no lines <!-- {name} --> and <!-- /{name} -->")
    page.write_text(pattern.sub(lambda match: f"{match[1]}\n{text}\n\n{match[2]}", before), encoding="utf-8")
