#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tidy.py <clang-tidy> <build-dir> <joined-build-dir> [folder...]: clang-tidy on the project's sources below these folders, two
at a time.

Most of the time of clang-tidy's own checks goes to the headers of others. In the joined build directory (CMAKE_UNITY_BUILD) a
file includes ten sources and goes through the headers once; the checks look at those files. The static analyzer looks at no
function that another file includes, and so has to look at each source of the build directory.

A file whose preprocessed text was found clean before, with the same checks, is not looked at again: its build directory
keeps a stamp for it.
"""

import hashlib
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ANALYZER = "-*,clang-analyzer-*"
NOT_ANALYZER = "-clang-analyzer-*"


def preprocessed(entry):
    words = shlex.split(entry["command"])
    if os.path.basename(words[0]) == "ccache":
        words = words[1:]
    del words[words.index("-o") : words.index("-o") + 2]
    words[words.index("-c")] = "-E"
    return subprocess.run(words, cwd=entry["directory"], capture_output=True, check=True).stdout


def check(tidy, build, entry, checks, configuration):
    """The findings in one file: empty when there are none."""
    try:
        key = hashlib.sha256(checks.encode() + configuration + preprocessed(entry)).hexdigest()
    except subprocess.CalledProcessError as error:
        return f"{entry['file']} does not compile:\n{error.stderr.decode()}"
    stamp = build / "tidy" / key
    if stamp.exists():
        return ""
    done = subprocess.run(
        [tidy, "--quiet", f"--checks={checks}", "-p", build, entry["file"]], capture_output=True, text=True
    )
    if done.returncode == 0:
        stamp.touch()
        return ""
    return done.stdout or done.stderr


def entries(build, below, part=""):
    """What the build directory compiles from below these folders."""
    (build / "tidy").mkdir(exist_ok=True)
    commands = json.loads((build / "compile_commands.json").read_text())
    found = [e for e in commands if e["file"].startswith(tuple(f"{folder}/" for folder in below)) and part in e["file"]]
    if not found:
        sys.exit(f"tidy.py: {build}/compile_commands.json names no source below {', '.join(map(str, below))}")
    return found


def main(tidy, build, joined, folders):
    sources = [(build, entry, ANALYZER) for entry in entries(build, [ROOT / folder for folder in folders])]
    groups = [(joined, entry, NOT_ANALYZER) for entry in entries(joined, [joined / folder for folder in folders], "/Unity/")]
    version = subprocess.run([tidy, "--version"], capture_output=True, check=True).stdout
    configuration = version + (ROOT / ".clang-tidy").read_bytes()
    wrong = 0
    with ThreadPoolExecutor(2) as pool:
        for findings in pool.map(lambda task: check(tidy, *task, configuration), groups + sources):
            if findings:
                wrong += 1
                print(findings, flush=True)
    print(f"clang-tidy: {len(sources)} sources, {wrong} with findings")
    return wrong > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3]).resolve(), sys.argv[4:]))
