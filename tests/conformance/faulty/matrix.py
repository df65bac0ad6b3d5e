#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs jupyter-conformance against the kernel `faulty` without a fault and with each of its faults.

A fault is caught when every case that it must break has failed, and caught exactly when no other has: a case that fails
for another's reason tells a kernel's author nothing. Ends with status 0 when all are caught exactly and nothing fails without a
fault. Says which cases and rules no fault breaks, too: nobody knows whether those can fail.
"""

import argparse
import fnmatch
import itertools
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

NO_FAULT = "(none)"
SLOW = 0.5  # seconds

# Standing rules are broken in any case; with --groups these show them.
WITNESSES = {
    "schema.clear_output": "output", "schema.comm_": "comm", "schema.complete_reply": "completion", "schema.display_data": "output",
    "schema.error": "errors", "schema.history_reply": "history", "schema.input_request": "stdin", "schema.inspect_reply": "inspect",
    "schema.interrupt_reply": "interrupt", "schema.iopub_welcome": "welcome", "schema.is_complete_reply": "is_complete",
    "schema.kernel_info_reply": "info", "schema.shutdown_reply": "shutdown", "schema.update_display_data": "output",
    "schema.connect_reply": "control", "schema.debug_event": "control", "schema.usage_reply": "control", "schema.comm_info_reply": "comm",
    "abuse.resources": "abuse.transport", "schema.": "execute", "wire.": "execute", "order.error": "errors", "order.busy.sent": "is_complete",
    "order.idle.sent": "is_complete errors", "order.reply.sent": "is_complete", "order.reply.type": "is_complete",
    "order.reply.channel": "control", "order.reply.fifo": "abort", "order.reply.parent": "is_complete", "order.": "execute",
}


def groups_of(case):
    """The globs of the cases that show whether this one's rule is kept."""
    group = ".".join(case.split(".")[:2 if case.startswith("abuse.") else 1])
    witness = next((group for rule, group in WITNESSES.items() if case.startswith(rule)), group)
    return ",".join(f"{one}.*" for one in witness.split())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin", type=pathlib.Path, help="the folder with jupyter-conformance and faulty")
    parser.add_argument("faults", nargs="*", default=["*"], help="globs of the faults to try; all unless named")
    parser.add_argument("--full", action="store_true", help="every case for every fault, also slow and hostile ones")
    parser.add_argument("--groups", action="store_true", help="only the groups of cases of what a fault must break")
    parser.add_argument("--jobs", type=int, default=2, help="faults at once")
    parser.add_argument("--timeout", type=float, default=4, help="seconds that the kernel has for anything")
    parser.add_argument("--explain", action="store_true", help="what every unexpected case found")
    return parser.parse_intermixed_args()


class Run:
    """One fault, or none, and what the tool said."""

    def __init__(self, fault, outcomes, seconds):
        self.fault = fault
        self.outcomes = outcomes
        self.seconds = seconds
        self.broken = {o["id"] for o in outcomes if o["verdict"] in ("FAIL", "warning", "ERROR")}
        self.expected = set(fault["breaks"])

    @property
    def exact(self):
        return not self.missed and not self.unexpected

    @property
    def missed(self):
        return sorted(self.expected - self.broken)

    @property
    def unexpected(self):
        return sorted(self.broken - self.expected)

    def verdict(self):
        caught = "no" if self.missed else "yes"
        exact = "no" if self.unexpected else "yes"
        return f"{self.fault['name']:32} {len(self.expected):8} {caught:>6} {exact:>6} {self.seconds:8.1f}"

    def details(self, explain):
        lines = [f"    missed      {case}" for case in self.missed]
        for case in self.unexpected:
            lines.append(f"    unexpected  {case}")
            for outcome in self.outcomes if explain else []:
                if outcome["id"] == case and outcome["findings"]:
                    lines.append(f"                {outcome['findings'][0][:300]}")
        return lines


def conformance(options, fault, skip, timeout):
    samples = pathlib.Path(__file__).with_name("samples.json")
    launch = fault.get("launch", "ipc")
    with tempfile.TemporaryDirectory() as folder:
        report = pathlib.Path(folder) / "report.json"
        command = [str(options.bin / "jupyter-conformance"), "--samples", str(samples), "--launch", launch,
                   "--timeout", str(timeout), "--jobs", str(options.jobs if fault["name"] == NO_FAULT else 1), "--quiet", "--format", "json",
                   "--output", str(report)]
        if options.groups and fault["breaks"]:
            command += ["--only", ",".join(sorted({groups_of(case) for case in fault["breaks"]} | set(fault["breaks"])))]
        if skip:
            command += ["--skip", ",".join(skip)]
        command += ["--interrupt-mode", fault.get("interrupts", "signal"), "--argv", str(options.bin / "faulty")]
        if fault["name"] != NO_FAULT:
            command += ["--fault", fault["name"]]
        command += ["-f", "{connection_file}"]
        start = time.monotonic()
        ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        seconds = time.monotonic() - start
        if not report.exists():
            # Status 2: a kernel that does not even start is one that the tool cannot judge further.
            finding = f"status {ended.returncode}: {ended.stdout}"
            return Run(fault, [{"id": "start." + launch, "verdict": "FAIL", "findings": [finding], "seconds": seconds}], seconds)
        return Run(fault, json.loads(report.read_text())["outcomes"], seconds)


def expensive(run, options):
    """The cases that the faults which do not concern them can do without: what they try takes long, or is hostile."""
    if options.full:
        return set()
    usual = statistics.median(o["seconds"] for o in run.outcomes if o["seconds"] > 0)
    # A quick case that the machine held up once is none of them: it may be the only one that sees a standing rule broken.
    return {"abuse.*"} | {o["id"] for o in run.outcomes if o["seconds"] > max(4 * usual, SLOW)}


def needless(skip, fault):
    """What to skip for this fault: not what it must break."""
    hostile = any(case.startswith("abuse.") for case in fault["breaks"])
    return skip - set(fault["breaks"]) - ({"abuse.*"} if hostile else set())


def unbroken(options, faults):
    """The cases and standing rules that there are, and those that no fault breaks."""
    listed = subprocess.run([str(options.bin / "jupyter-conformance"), "--list"], stdout=subprocess.PIPE, text=True, check=True)
    cases = [line for line in listed.stdout.splitlines() if line and not line.startswith(" ")]
    broken = {case for fault in faults for case in fault["breaks"]}
    unknown = sorted(case for case in broken if case not in cases and not case.startswith("start."))
    if unknown:
        sys.exit(f"faults name cases that there are not: {' '.join(unknown)}")
    return cases, [case for case in cases if case not in broken]


def main():
    options = arguments()
    listed = subprocess.run([str(options.bin / "faulty"), "--list"], stdout=subprocess.PIPE, check=True)
    all_faults = json.loads(listed.stdout)
    faults = [f for f in all_faults if any(fnmatch.fnmatch(f["name"], glob) for glob in options.faults)]
    if not faults:
        sys.exit("no such fault")

    print(f"{'fault':32} {'expected':>8} {'caught':>6} {'exact':>6} {'seconds':>8}")
    start = time.monotonic()
    without = {"name": NO_FAULT, "breaks": []}
    runs = []
    plain = conformance(options, without, set() if options.full else {"abuse.*"}, 10 * options.timeout)
    skip = expensive(plain, options)
    with ThreadPoolExecutor(options.jobs) as pool:
        # While one waits for a kernel that says nothing, others go on. The last of the list wait longest: they come first.
        spoilt = pool.map(lambda fault: conformance(options, fault, needless(skip, fault), options.timeout), reversed(faults))
        for run in itertools.chain([plain], spoilt):
            runs.append(run)
            print(run.verdict(), *run.details(options.explain), sep="\n", flush=True)

    spoiled = runs[1:]
    caught = sum(not run.missed for run in spoiled)
    exact = sum(run.exact for run in spoiled)
    surprises = [run.fault["name"] for run in spoiled if not run.exact]
    cases, untried = unbroken(options, all_faults)
    print(f"{len(spoiled)} faults: {caught} caught, {exact} exactly, {len(spoiled) - caught} missed; without a fault "
          f"{len(runs[0].unexpected)} cases failed; {time.monotonic() - start:.0f} s")
    if surprises:
        print("not exactly:", *surprises)
    print(f"{len(cases)} cases and standing rules: {len(cases) - len(untried)} are broken by a fault, {len(untried)} by none")
    if options.explain:
        print(*(f"    without a fault  {case}" for case in untried), sep="\n")
    return 1 if surprises or runs[0].unexpected else 0


if __name__ == "__main__":
    sys.exit(main())
