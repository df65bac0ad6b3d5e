# SPDX-License-Identifier: BSD-3-Clause
"""Makes of adrastea-bench's values what people read: medians, ratios pair by pair with their spread, and what was to be reached."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import picture
from statistics_of_pairs import median, pairs, ratio

Json = dict[str, Any]


@dataclass
class Verdict:
    subject: str
    text: str
    got: str
    reached: bool | None


def number(value: float) -> str:
    """Three digits that count, in groups."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        digits = 3 - len(str(int(abs(value))))
        return f"{round(value, digits):,.0f}".replace(",", " ")
    return f"{value:.3g}"


def compared(figures: dict[str, Json], figure: Json, target: Json) -> float | None:
    """What the target's limit is a limit of."""
    mine = figure["values"].get(target["subject"])
    if not mine or target["subject"] in figure["failures"]:
        return None
    if target["compared"] == "absolute":
        return median(mine)
    other = figures.get(target["with_figure"], {}).get("values", {}).get(target["with_subject"])
    if not other:
        return None
    if target["compared"] == "difference":
        return median([a - b for a, b in pairs(mine, other)])
    return median([a / b for a, b in pairs(mine, other)]) if all(other) else None


def verdict(figures: dict[str, Json], figure: Json, target: Json) -> Verdict:
    sign = "≥" if figure["more_is_better"] else "≤"
    plain_unit = "" if figure["unit"] == "1" else figure["unit"]
    unit = {"ratio": "×", "difference": plain_unit + " more", "absolute": plain_unit}[target["compared"]]
    text = f"{sign} {number(target['limit'])} {unit}".rstrip()
    if target["with_subject"] != "floor":
        text += f" {target['with_subject']}"
    elif target["with_figure"] != figure["id"]:
        text += f" floor's {target['with_figure'].rsplit('/', 1)[-1]}"
    got = compared(figures, figure, target)
    if got is None:
        return Verdict(target["subject"], text, "not measured", None)
    reached = got >= target["limit"] if figure["more_is_better"] else got <= target["limit"]
    return Verdict(target["subject"], text, number(got), reached)


def verdicts(result: Json, figure: Json) -> list[Verdict]:
    figures = {each["id"]: each for each in result["figures"]}
    return [verdict(figures, figure, target) for target in figure["targets"] if target["subject"] in result["subjects"]]


def cell(figure: Json, subject: str, base: str) -> str:
    if subject in figure["failures"]:
        return "failed"
    values = figure["values"].get(subject)
    if not values:
        return ""
    # What is a ratio already has no use for another, but for its own spread.
    if figure["unit"].startswith("×"):
        return f"{number(median(values))} ({number(min(values))}–{number(max(values))})" if len(values) > 1 else number(values[0])
    found = ratio(figure, subject, base)
    return number(median(values)) + (f", {found}" if found else "")


def target_cell(verdicts_of_row: list[Verdict]) -> str:
    marks = {True: "✓", False: "✗", None: "?"}
    return "; ".join(f"{each.subject} {each.text}: {each.got} {marks[each.reached]}" for each in verdicts_of_row)


def shown_subjects(result: Json) -> list[str]:
    """Those with a figure anywhere, and those that failed."""
    return [name for name in result["subjects"] if any(name in row["values"] or name in row["failures"] for row in result["figures"])]


def failures(result: Json) -> list[str]:
    """Each once, however many figures it took."""
    told = [f"{subject}: {why}" for subject, why in result.get("not_started", {}).items()]
    for row in result["figures"]:
        told += [f"{subject}, {row['title']}: {why}" for subject, why in row["failures"].items()]
    return list(dict.fromkeys(told))


def markdown(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows])


def main_rows(result: Json) -> list[Json]:
    return [row for row in result["figures"] if not row["series"] or row["targets"]]


def main_table(result: Json) -> str:
    subjects, base = shown_subjects(result), result["subjects"][0]
    rows = [
        [f"{row['title']} ({row['unit']})", *(cell(row, subject, base) for subject in subjects), target_cell(verdicts(result, row))]
        for row in main_rows(result)
    ]
    return markdown(["", *subjects, "to reach"], rows)


def series_rows(result: Json) -> dict[str, list[Json]]:
    """Each series, in the order of sizes."""
    series: dict[str, list[Json]] = {}
    for row in result["figures"]:
        if row["series"]:
            series.setdefault(row["series"], []).append(row)
    return {name: sorted(rows, key=lambda row: int(row["size"])) for name, rows in series.items()}


def series_tables(result: Json) -> list[str]:
    """How costs grow: a table for all series that have the same sizes."""
    by_sizes: dict[tuple[int, ...], list[list[Json]]] = {}
    for rows in series_rows(result).values():
        by_sizes.setdefault(tuple(int(row["size"]) for row in rows), []).append(rows)
    return [series_table(result, sizes, all_rows) for sizes, all_rows in by_sizes.items()]


def series_table(result: Json, sizes: tuple[int, ...], all_rows: list[list[Json]]) -> str:
    """A line for each subject, a column for each size."""
    base = result["subjects"][0]
    lines = []
    for rows in all_rows:
        for subject in (name for name in result["subjects"] if any(name in row["values"] for row in rows)):
            lines.append([f"{rows[0]['title']} ({rows[0]['unit']})", subject, *(cell(row, subject, base) for row in rows)])
    return markdown(["", "", *(f"{size:,}".replace(",", " ") for size in sizes)], lines)


def tables(result: Json) -> str:
    parts = [main_table(result)] if main_rows(result) else []
    parts += series_tables(result)
    if failures(result):
        parts.append("\n".join(["Failed:", "", *(f"- {each}" for each in failures(result))]))
    return "\n\n".join(parts)


def summary(result: Json) -> str:
    everything = [each for row in result["figures"] for each in verdicts(result, row)]
    reached = sum(each.reached is True for each in everything)
    return f"{reached} of {len(everything)} targets reached"


EXTENTS = {"quick": "a fifth of the repetitions (--quick)", "usual": "the usual repetitions", "full": "--full"}
BEGIN, END = "<!-- scripts/bench --write: begin -->", "<!-- end -->"


def circumstances() -> Json:
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", "Linux"),
        "processors": os.cpu_count(),
    }


def page(text: str, result: Json) -> str:
    """With everything between the markers made anew."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    machine = f"{result['system']}, {result['processors']} processors"
    where = f"{result['date']}, {machine}, Release, {EXTENTS[result['extent']]}, {result['rounds']} rounds: {summary(result)}."
    return f"{before}{BEGIN}\n{where}\n\n{tables(result)}\n{END}{after}"


def write(result: Json, folder: Path) -> None:
    markdown_page = folder / "performance.md"
    markdown_page.write_text(page(markdown_page.read_text(), result))
    (folder / "performance.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    (folder / "performance.svg").write_text(picture.draw(result))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("result", type=Path, help="what adrastea-bench wrote")
    parser.add_argument("--write", type=Path, metavar="FOLDER", help="put it into performance.md, .svg and .json there")
    arguments = parser.parse_args()
    result = json.loads(arguments.result.read_text()) | circumstances()
    print(tables(result))
    print(f"bench: {summary(result)}")
    if arguments.write:
        write(result, arguments.write)
    return 1 if failures(result) else 0


if __name__ == "__main__":
    sys.exit(main())
