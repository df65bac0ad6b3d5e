#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Judges our kernels and those of others with jupyter-conformance and writes docs/conformance.md.

What was found out by hand about the failures of a kernel is in notes.json: for each kernel, globs of cases (parted by commas) and what
is known of them; the first that fits a case counts. A failure that none fits is shown as one that nobody has looked into. The
reports themselves (JSON) are left in the folder of results, and --only uses those of the other kernels again.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
BROKEN = ("FAIL", "warning", "ERROR")
UNKNOWN = "Not looked into yet."

Report = dict[str, Any]
Outcome = dict[str, Any]


class Kernel(NamedTuple):
    """A row of the table. Others' kernels are launched as every launcher does it, over tcp; ours in all ways there are."""

    name: str
    kernelspec: str
    source: str
    launch: str = "tcp"
    package: str = ""


KERNELS = [
    Kernel("adrastea-lua", "lua", "here", "all"),
    Kernel("adrastea-echo", "echo", "here", "all"),
    Kernel("ipykernel", "python3", "PyPI", package="ipykernel"),
    Kernel("xpython", "xpython", "Debian"),
    Kernel("IRkernel", "ir", "Debian"),
    Kernel("bash_kernel", "bash", "PyPI"),
]


def known_rules(tool: str) -> dict[str, Outcome]:
    listed = subprocess.run([tool, "--list", "--format", "json"], capture_output=True, text=True, check=True).stdout
    return {rule["id"]: rule for rule in json.loads(listed)}


def merged(before: Report, now: Report, rules: dict[str, Outcome]) -> Report:
    """A report with some of its cases judged again. What standing rules saw in all cases stays; rules that are no more go."""
    again = [outcome for outcome in now["outcomes"] if not outcome["action"].startswith("watches")]
    judged = {outcome["id"] for outcome in again}
    kept = [outcome for outcome in before["outcomes"] if outcome["id"] not in judged]
    outcomes = []
    for outcome in [*kept, *again]:
        rule = rules.get(outcome["id"], {})
        if rule or outcome["id"].startswith("start."):
            outcomes.append({**outcome, **rule})
    return {**before, "kernel_info": now["kernel_info"], "outcomes": outcomes}


def judge(options: argparse.Namespace, kernel: Kernel) -> Report | str:
    """The report of one kernel, or the line that says why there is none."""
    file = options.results / f"{kernel.name}.json"
    before = json.loads(file.read_text()) if options.cases and file.exists() else None
    file.unlink(missing_ok=True)
    command = [options.tool, kernel.kernelspec, "--launch", kernel.launch, "--jobs", str(options.jobs)]
    command += ["--timeout", str(options.timeout), "--quiet", "--format", "json", "--output", str(file)]
    if before:
        command += ["--only", options.cases]
    start = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    print(f"  {kernel.name} over {kernel.launch}: {time.monotonic() - start:.0f} s", flush=True)
    if file.exists():
        now = json.loads(file.read_text())
        if before:
            now = merged(before, now, known_rules(options.tool))
            file.write_text(json.dumps(now))
        return now
    lines = done.stderr.strip().splitlines() or [f"jupyter-conformance ended with status {done.returncode}"]
    return lines[0].removeprefix("jupyter-conformance: ")


def one_line(text: str, most: int = 240) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most].rstrip() + "…"


def cell(text: str, most: int = 240) -> str:
    anywhere = re.sub(r"/\S*?/site-packages/", "…/", text)  # where it is installed here tells a reader nothing
    return one_line(anywhere, most).replace("|", "\\|").replace("<", "&lt;")


def version(kernel: Kernel, report: Report, python: Path) -> str:
    """Of the package where kernel_info tells of something else: ipykernel says IPython's."""
    info = report["kernel_info"]
    own = f"{info.get('implementation_version', '?')}"
    if kernel.package:
        ask = "import importlib.metadata, sys; print(importlib.metadata.version(sys.argv[1]))"
        package = subprocess.run([python, "-c", ask, kernel.package], capture_output=True, text=True, check=True).stdout.strip()
        own = f"{package} (kernel_info: {info.get('implementation', '?')} {own})"
    return f"{own}, protocol {info.get('protocol_version', '?')}"


def count(report: Report, verdict: str) -> int:
    return sum(outcome["verdict"] == verdict for outcome in report["outcomes"])


def summary(reports: dict[str, Report | str], python: Path) -> list[str]:
    lines = [
        "| kernel | version | from | over | pass | FAIL | warning | n/a | messages | run time |",
        "|---|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for kernel in KERNELS:
        report = reports.get(kernel.name)
        if isinstance(report, str):
            lines.append(f"| {kernel.name} | | {kernel.source} | {kernel.launch} | | | | | | {cell(report)} |")
        elif report is not None:
            over = ", ".join(sorted({outcome["launch"] for outcome in report["outcomes"]}))
            numbers = " | ".join(str(count(report, verdict)) for verdict in ("pass", "FAIL", "warning", "n/a"))
            name = f"[{kernel.name}](#{kernel.name.lower()})"
            lines.append(
                f"| {name} | {version(kernel, report, python)} | {kernel.source} | {over} | {numbers} | {report['messages']} | {report['seconds']:.0f} s |"
            )
    return lines


def note_on(identity: str, notes: dict[str, str]) -> str:
    for globs, note in notes.items():
        if any(fnmatchcase(identity, glob) for glob in globs.split(",")):
            return note
    return UNKNOWN


def broken_cases(report: Report) -> dict[str, tuple[Outcome, list[str]]]:
    """By case: how it failed, and in which launch modes."""
    seen: dict[str, tuple[Outcome, list[str]]] = {}
    for outcome in report["outcomes"]:
        if outcome["verdict"] in BROKEN:
            seen.setdefault(outcome["id"], (outcome, []))[1].append(outcome["launch"])
    return dict(sorted(seen.items(), key=lambda item: (BROKEN.index(item[1][0]["verdict"]), item[0])))


def chapter(kernel: Kernel, report: Report, notes: dict[str, str]) -> list[str]:
    """What does not hold, by what was found out about it: those with a failed MUST first."""
    lines = ["", f"## {kernel.name}", ""]
    failed = broken_cases(report)
    if not failed:
        return [*lines, "Nothing fails and nothing warns."]
    groups: dict[str, list[tuple[Outcome, list[str]]]] = {}
    for identity, (outcome, launches) in failed.items():
        groups.setdefault(note_on(identity, notes), []).append((outcome, launches))
    for note, members in sorted(groups.items(), key=lambda group: group[0] == UNKNOWN):
        lines += ["", f"**{note}**" if note == UNKNOWN else note, "", "| case | | rule | seen |", "|---|---|---|---|"]
        for outcome, launches in members:
            over = "" if kernel.launch == "tcp" else f" over {', '.join(launches)}"
            finding = outcome["findings"][0] if outcome["findings"] else ""
            rule = f"{cell(outcome['requirement'])} [{cell(outcome['section'])}]"
            lines.append(f"| `{outcome['id']}` | {outcome['verdict']}{over} | {rule} | {cell(finding)} |")
    return lines


def document(reports: dict[str, Report | str], notes: dict[str, dict[str, str]], python: Path) -> str:
    good = [report for report in reports.values() if isinstance(report, dict)]
    cases = max(len({outcome["id"] for outcome in report["outcomes"]}) for report in good)
    lines = [
        "# Kernels and the protocol",
        "",
        f"What `{good[0]['tool']}` says of our kernels and of others, {date.today().isoformat()}. Each of {cases} cases and standing rules is tried",
        "on a process of its own (in each launch mode, for ours), and every message that comes is checked against schemas and the order that",
        "the protocol promises. *FAIL* is a MUST that does not hold, *warning* a SHOULD. *n/a*: the kernel does not offer it, what the case",
        "looks at did not come because of a fault that another rule states, or the tool has no code for it in that language.",
        "",
        "Below the table stands, for each kernel, what does not hold, put together by cause: what was found out about it, then the cases that show",
        "it, with the rule, the section of the protocol's text that it comes from, and what was seen. A number of failures is no mark: one",
        "fault may break many rules, and most of these kernels were written before some of the rules.",
        "",
        "`scripts/conformance table` writes this page; [conformance-guide.md](conformance-guide.md) tells how to try a kernel of yours.",
        "",
    ]
    lines += summary(reports, python)
    for kernel in KERNELS:
        report = reports.get(kernel.name)
        if isinstance(report, dict):
            lines += chapter(kernel, report, notes.get(kernel.name, {}))
    return "\n".join(lines) + "\n"


def environment(options: argparse.Namespace) -> dict[str, str]:
    """Where the kernels are, and a home of their own: what is in the user's (~/.bashrc, ~/.Rprofile) shall change no verdict."""
    home = options.results / "home"
    home.mkdir(parents=True, exist_ok=True)
    paths = (options.prefix / "share/jupyter", options.venv / "share/jupyter")
    return {"HOME": str(home), "JUPYTER_PATH": os.pathsep.join(map(str, paths))}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True)
    parser.add_argument("--prefix", type=Path, required=True, help="where our kernels are installed")
    parser.add_argument("--venv", type=Path, required=True, help="where the kernels from PyPI are installed")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--timeout", type=float, default=30, help="seconds that a kernel has for anything")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", help="names of kernels, parted by commas ('' for none); of the others the last results are used")
    parser.add_argument("--cases", help="globs: only these are judged again, and the others taken from the last results")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    options.results.mkdir(parents=True, exist_ok=True)
    os.environ.update(environment(options))
    if not (options.venv / "share/jupyter/kernels/bash").exists():
        subprocess.run([options.venv / "bin/python", "-m", "bash_kernel.install", "--sys-prefix"], check=True)
    chosen = [kernel.name for kernel in KERNELS] if options.only is None else options.only.split(",")
    reports: dict[str, Report | str] = {}
    start = time.monotonic()
    for kernel in KERNELS:
        old = options.results / f"{kernel.name}.json"
        if kernel.name in chosen:
            reports[kernel.name] = judge(options, kernel)
        elif old.exists():
            reports[kernel.name] = json.loads(old.read_text())
    if not any(isinstance(report, dict) for report in reports.values()):
        sys.exit("no kernel could be judged: " + "; ".join(str(report) for report in reports.values()))
    notes = json.loads((HERE / "notes.json").read_text())
    options.output.write_text(document(reports, notes, options.venv / "bin/python"))
    print(f"  written: {os.path.relpath(options.output)} ({time.monotonic() - start:.0f} s)")


if __name__ == "__main__":
    main()
