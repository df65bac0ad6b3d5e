#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Judges our kernels and those of others with jupyter-conformance and writes docs/conformance.md.

What was found out about each failure of another's kernel is in notes.json, by kernel and case, and stands beside it; a failure
without a note says so. The reports themselves (JSON and HTML) are left in the folder of results.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
LAUNCHES = ["tcp", "ipc", "port0"]

# name in the table, kernelspec, where it comes from
KERNELS = [
    ("adrastea-lua", "lua", "here"),
    ("adrastea-echo", "echo", "here"),
    ("ipykernel", "python3", "PyPI"),
    ("xpython", "xpython", "Debian"),
    ("IRkernel", "ir", "Debian"),
    ("bash_kernel", "bash", "PyPI"),
]


def judge(tool, name, kernel, launch, results, timeout):
    """The report of one kernel in one launch mode, or the line that says why there is none."""
    report = results / f"{name}-{launch}.json"
    report.unlink(missing_ok=True)
    command = [tool, kernel, "--launch", launch, "--jobs", "2", "--timeout", str(timeout), "--quiet"]
    done = subprocess.run([*command, "--format", "json", "--output", report], capture_output=True, text=True, check=False)
    if not report.exists():
        return done.stderr.strip().splitlines()[0].removeprefix("jupyter-conformance: ")
    return json.loads(report.read_text())


def version(report):
    info = report["kernel_info"]
    return f"{info.get('implementation_version', '?')}, protocol {info.get('protocol_version', '?')}"


def count(report, verdict):
    return sum(outcome["verdict"] == verdict for outcome in report["outcomes"])


def broken(report):
    return [outcome for outcome in report["outcomes"] if outcome["verdict"] in ("FAIL", "warning", "ERROR")]


def table_of_kernels(reports):
    lines = ["| kernel | version | over | pass | FAIL | warning | not applicable | messages | seconds |",
             "|---|---|---|---|---|---|---|---|---|"]
    for name, _, source in KERNELS:
        for launch in LAUNCHES:
            report = reports.get((name, launch))
            if report is None:
                continue
            if isinstance(report, str):
                lines.append(f"| {name} | {source} | {launch} | | | | | | {report.split('{')[0][:160].replace('|', '/')} |")
                continue
            numbers = " | ".join(str(count(report, verdict)) for verdict in ("pass", "FAIL", "warning", "n/a"))
            lines.append(f"| {name} | {version(report)} ({source}) | {launch} | {numbers} | {report['messages']} | {report['seconds']:.0f} |")
    return lines


def cell(text, most=260):
    text = " ".join(text.split())
    text = text if len(text) <= most else text[:most] + "…"
    return text.replace("|", "\\|").replace("<", "&lt;")


def findings_of(name, reports, notes):
    """One line a case: in which launch modes it failed, what was seen, and what was found out about it."""
    seen = {}
    for launch in LAUNCHES:
        report = reports.get((name, launch))
        if isinstance(report, dict):
            for outcome in broken(report):
                seen.setdefault(outcome["id"], (outcome, []))[1].append(launch)
    if not seen:
        return ["Nothing."]
    lines = ["| case | | over | rule | seen | looked into |", "|---|---|---|---|---|---|"]
    for identity, (outcome, launches) in sorted(seen.items()):
        note = notes.get(name, {}).get(identity, "**not looked into**")
        over = "all" if launches == LAUNCHES else ", ".join(launches)
        finding = outcome["findings"][0] if outcome["findings"] else ""
        lines.append(f"| `{identity}` | {outcome['verdict']} | {over} | {cell(outcome['requirement'])} | {cell(finding)} | {cell(note, 600)} |")
    return lines


def document(reports, notes, cases):
    lines = ["# Kernels and the protocol", "",
             f"`jupyter-conformance` on our kernels and on others, {date.today().isoformat()}: {cases} cases and standing rules, each case on a process "
             "of its own, every message checked against schemas and the order that the protocol promises. FAIL is a MUST that does not hold, "
             "warning a SHOULD. *Not applicable*: the kernel does not offer it, or the tool has no code for it in that language. "
             "This page is written by `scripts/conformance table`; how to use the tool on your kernel is in "
             "[conformance-guide.md](conformance-guide.md).", ""]
    lines += table_of_kernels(reports)
    for name, _, source in KERNELS:
        if any((name, launch) in reports for launch in LAUNCHES):
            lines += ["", f"## {name}", ""] + findings_of(name, reports, notes)
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tool", required=True)
    parser.add_argument("--prefix", type=Path, required=True, help="where our kernels are installed")
    parser.add_argument("--venv", type=Path, required=True, help="where the kernels from PyPI are installed")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--timeout", type=float, default=10)
    parser.add_argument("--only", default="", help="names of kernels, parted by commas; the others' last results are used")
    options = parser.parse_args()
    options.results.mkdir(parents=True, exist_ok=True)
    os.environ["JUPYTER_PATH"] = os.pathsep.join(str(p / "share/jupyter") for p in (options.prefix, options.venv))
    if not (options.venv / "share/jupyter/kernels/bash").exists():
        subprocess.run([options.venv / "bin/python", "-m", "bash_kernel.install", "--sys-prefix"], check=True)
    chosen = options.only.split(",") if options.only else [name for name, _, _ in KERNELS]
    reports = {}
    for name, kernel, _ in KERNELS:
        for launch in LAUNCHES:
            old = options.results / f"{name}-{launch}.json"
            if name in chosen:
                print(f"{name} over {launch}", flush=True)
                reports[name, launch] = judge(options.tool, name, kernel, launch, options.results, options.timeout)
            elif old.exists():
                reports[name, launch] = json.loads(old.read_text())
    notes = json.loads((HERE / "notes.json").read_text())
    cases = max(len(report["outcomes"]) for report in reports.values() if isinstance(report, dict))
    options.output.write_text(document(reports, notes, cases))
    print(f"written: {os.path.relpath(options.output)}")


if __name__ == "__main__":
    sys.exit(main())
