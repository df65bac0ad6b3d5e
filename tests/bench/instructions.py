# SPDX-License-Identifier: BSD-3-Clause
"""Counts the instructions that a cell costs, by valgrind's callgrind, and compares them with what is stored.

Counted is what a kernel executes outside of libzmq, in two runs of different length; their difference is free of the start.
libzmq is left out because what it does depends on time: how often its thread looks at a queue, how many messages it takes at once.
The rest repeats, on any machine with the same compiler and libraries.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

STORED = Path(__file__).with_name("instructions.json")
KERNELS = {"echo": "adrastea-echo", "lua": "adrastea-lua"}
FEW, MANY = 200, 1200
ALLOWED = 0.05
SKIPPED = 77  # what scripts/test takes for "could not be done here"
# Functions that exist in several versions are chosen by what the processor can do: the plainest ones, on every machine.
PLAIN_PROCESSOR = {
    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2_Usable,-AVX2,-AVX512F_Usable,-AVX512VL,-ERMS,-FSRM,-BMI2",
    "OPENSSL_ia32cap": "0x0:0x0",
}
LEFT_OUT = re.compile(r"libzmq|libsodium|libnorm|libpgm|valgrind")


def self_costs(callgrind_file: Path) -> Counter[str]:
    """Instructions by object file. What a function's callees cost stands in lines of their own, after `calls=`."""
    names: dict[str, str] = {}
    costs: Counter[str] = Counter()
    current, of_callee = "", False
    for line in callgrind_file.read_text(errors="replace").splitlines():
        if named := re.match(r"c?ob=\((\d+)\)(?: (.*))?$", line):
            if named[2]:
                names[named[1]] = named[2]
            if line.startswith("ob="):
                current = names[named[1]]
        elif line.startswith("calls="):
            of_callee = True
        elif cost := re.match(r"[+\-*\d]\S* (\d+)$", line):
            if not of_callee:
                costs[current] += int(cost[1])
            of_callee = False
    return costs


def count(binaries: Path, language: str, cells: int) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "callgrind.out"
        callgrind = ["--tool=callgrind", f"--callgrind-out-file={output}", "--dump-line=no", "--fair-sched=yes"]
        command = [
            str(binaries / "adrastea-bench-cells"),
            str(cells),
            language,
            "valgrind",
            "--quiet",
            *callgrind,
            str(binaries / KERNELS[language]),
        ]
        environment = os.environ | PLAIN_PROCESSOR | {"ADRASTEA_HISTORY": "off"}
        subprocess.run(command, check=True, env=environment)
        return self_costs(output)


def a_cell(binaries: Path, language: str) -> Counter[str]:
    few, many = count(binaries, language, FEW), count(binaries, language, MANY)
    return Counter({name: (many[name] - few[name]) // (MANY - FEW) for name in many if not LEFT_OUT.search(name)})


def figures(costs: Counter[str]) -> dict[str, int]:
    """Apart, because the hashing of a cell's frames would hide what changes elsewhere."""
    signing = sum(cost for name, cost in costs.items() if "libcrypto" in name)
    return {"signing": signing, "the rest": sum(costs.values()) - signing}


def show(costs: Counter[str]) -> None:
    for name, cost in costs.most_common(6):
        print(f"    {cost:9,}  {Path(name).name}".replace(",", " "))


def compare(language: str, costs: Counter[str], stored: dict[str, int], names: list[str]) -> bool:
    """Whether every figure of these names is within what is allowed."""
    good = True
    for name, now in figures(costs).items():
        if name not in names:
            continue
        change = now / stored[name] - 1
        good = good and abs(change) <= ALLOWED
        print(f"instructions: {language}, {name}: {now} a cell, stored {stored[name]}: {change:+.1%}")
    if not good:
        show(costs)
    return good


def packages(*names: str) -> str:
    query = ["dpkg-query", "-W", "-f=${source:Package} ${source:Version}, ", *names]
    return subprocess.run(query, check=False, capture_output=True, text=True).stdout.rstrip(", ") or "unknown libraries"


def made_by() -> dict[str, str]:
    """Other compilers and libraries make other instructions. Of each figure, those that it depends on."""
    compiler = subprocess.run(["c++", "-dumpfullversion"], check=True, capture_output=True, text=True).stdout.strip()
    rest = packages("libc6", "liblua5.4-0", "nlohmann-json3-dev")
    return {"signing": packages("libssl3"), "the rest": f"c++ {compiler}, {rest}"}


def write(binaries: Path) -> None:
    counted = {language: figures(a_cell(binaries, language)) for language in KERNELS}
    STORED.write_text(json.dumps({"made_by": made_by(), "instructions_a_cell": counted}, indent=1) + "\n")
    print(f"instructions: stored {counted}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binaries", type=Path)
    parser.add_argument("--write", action="store_true", help="store what is counted now")
    arguments = parser.parse_args()
    if arguments.write:
        write(arguments.binaries)
        return 0
    stored = json.loads(STORED.read_text())
    here = made_by()
    comparable = [name for name, what in stored["made_by"].items() if here[name] == what]
    for name in stored["made_by"].keys() - comparable:
        print(f"instructions: {name}: skipped: stored for {stored['made_by'][name]}, but here is {here[name]}")
    if not comparable:
        return SKIPPED
    of_kernels = stored["instructions_a_cell"]
    # All of them, so that one run tells everything.
    if all([compare(language, a_cell(arguments.binaries, language), of_kernels[language], comparable) for language in KERNELS]):
        return 0
    print(f"  A cell costs more than {ALLOWED:.0%} more or less than it did. Where that is meant: scripts/instructions --write,")
    print("  and the commit says why. `valgrind --tool=callgrind` and `callgrind_annotate` name the functions.")
    return 1


if __name__ == "__main__":
    sys.exit(main())
