# SPDX-License-Identifier: BSD-3-Clause
"""Executes notebooks with nbclient, shows every cell with its outputs, and compares them with those stored in the notebook.

A cell tagged "raises-exception" has to raise; any other must not. A cell that asks for input has the answers in its metadata:
"answers": [{"prompt": "Name? ", "answer": "Io"}, {"prompt": "Key: ", "answer": "x", "password": true}]
Each is given to the question that it belongs to. With --update the outputs are stored instead of compared.
Exit status: 0 all right, 1 a difference or an error, 2 a wrong command line.
"""

import argparse
import asyncio
import copy
import difflib
import json
import os
import re
import sys
import textwrap
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError

CELL_TIMEOUT_S = 60
START_TIMEOUT_S = 30
MAX_DIFFERENCE_LINES = 60
MAX_LINE_CHARACTERS = 200
END_OF_INPUT = "\x04"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
# What differs from run to run although all is well: where an object lies, and how long a progress bar took.
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,16}\b")
BAR_TIME = re.compile(r"(</progress><span>[^<]* · )[^<]*</span>")


class Screen:
    """Writes to the terminal; colours only where they are seen and wanted."""

    def __init__(self):
        self.colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")

    def paint(self, text, code):
        return f"\x1b[{code}m{text}\x1b[0m" if self.colours and text else text

    def line(self, text="", code=None):
        print(self.paint(text, code) if code else text, flush=True)

    def block(self, label, text, label_code, text_code=None):
        """The label stands before the first line, the others are indented as far; a label that ends in | before each."""
        if not self.colours:
            text = ANSI.sub("", text)
        indent = label if label.endswith("| ") else " " * len(label)
        for number, row in enumerate(text.removesuffix("\n").split("\n")):
            start = self.paint(label if number == 0 else indent, label_code)
            print(start + (self.paint(row, text_code) if text_code else row), flush=True)


def joined(outputs):
    """The outputs with neighbouring pieces of one stream joined: where a stream is cut is the kernel's choice of the moment."""
    result = []
    for output in outputs:
        last = result[-1] if result else None
        if last and output.output_type == last.output_type == "stream" and output.name == last.name:
            last.text += output.text
        else:
            result.append(copy.deepcopy(output))
    return result


def stable(text):
    return BAR_TIME.sub(r"\1…</span>", ADDRESS.sub("0x…", ANSI.sub("", text)))


def essence(outputs):
    """All of the outputs that has to be equal each time, as lines of text."""
    lines = []

    def add(title, text):
        lines.append(f"[{title}]")
        lines.extend(stable(text).split("\n"))

    for output in joined(outputs):
        if output.output_type == "stream":
            add(output.name, output.text)
        elif output.output_type == "error":
            add(f"error {output.ename}", "\n".join([output.evalue, *output.traceback]))
        else:
            lines.append(f"[{output.output_type}]")
            for mime, value in sorted(output.data.items()):
                add(mime, value if isinstance(value, str) else json.dumps(value, indent=1, sort_keys=True))
            if output.metadata:
                add("metadata", json.dumps(output.metadata, indent=1, sort_keys=True))
    return lines


def difference(want, got):
    """The lines that changed; shortened, because a picture may be one line of a megabyte."""
    lines = list(difflib.unified_diff(want, got, n=1, lineterm=""))[3:]
    shown = [line[:MAX_LINE_CHARACTERS] for line in lines[:MAX_DIFFERENCE_LINES]]
    return shown + ([f"… {len(lines) - len(shown)} more lines"] if len(lines) > len(shown) else [])


class Typist(NotebookClient):
    """Answers a cell's questions with what its metadata holds. A cell without answers cannot ask, as with plain nbclient."""

    async def async_execute_cell(self, cell, cell_index, **options):
        self.faults = []
        self.answers = list(cell.metadata.get("answers", []))
        self.kc.allow_stdin = bool(self.answers)
        typing = asyncio.ensure_future(self.type())
        try:
            return await super().async_execute_cell(cell, cell_index, **options)
        finally:
            typing.cancel()

    async def type(self):
        while True:
            request = (await self.kc.get_stdin_msg())["content"]
            if not self.answers:
                self.faults.append(f"it asked {request['prompt']!r}, to which there is no answer")
                self.kc.input(END_OF_INPUT)
                continue
            answer = self.answers.pop(0)
            asked, expected = (request["prompt"], request["password"]), (answer["prompt"], answer.get("password", False))
            if asked != expected:
                self.faults.append(f"it asked (prompt, password) {asked!r} instead of {expected!r}")
            self.kc.input(answer["answer"])

    def faults_of_asking(self):
        unused = [f"it did not ask {answer['prompt']!r}" for answer in self.answers]
        return self.faults + unused


def show_markdown(screen, cell):
    for row in cell.source.split("\n"):
        screen.line("\n".join(textwrap.wrap(row, 100)) if row else "", "1" if row.startswith("#") else "2")
    screen.line()


def show_bundle(screen, label, data):
    text = data.get("text/plain")
    others = [mime for mime in data if mime != "text/plain"]
    if text is not None:
        screen.block(label, text, "31")
        label = " " * len(label)
    for mime in others:
        value = data[mime]
        screen.block(label, f"[{mime}, {len(value) if isinstance(value, str) else 'a JSON value'}]", "31", "2")


def show_code(screen, cell):
    count = cell.execution_count if cell.execution_count is not None else " "
    screen.block(f"In [{count}]: ", cell.source, "32", "1")
    for output in joined(cell.outputs):
        if output.output_type == "stream":
            screen.block("  stderr | " if output.name == "stderr" else "         | ", output.text, "2",
                         "33" if output.name == "stderr" else None)
        elif output.output_type == "error":
            screen.block("   error | ", "\n".join(output.traceback) or f"{output.ename}: {output.evalue}", "31", "31")
        elif output.output_type == "execute_result":
            show_bundle(screen, f"Out[{output.execution_count}]: ", output.data)
        else:
            show_bundle(screen, " display | ", output.data)
    screen.line()


def faults(cell, expected):
    """One text for each way in which an executed cell is not what the notebook says."""
    found = []
    raises = "raises-exception" in cell.metadata.get("tags", [])
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if errors and not raises:
        found.append(f"the cell raised {errors[0].ename}: {errors[0].evalue}")
    if raises and not errors:
        found.append("the cell is tagged raises-exception and raised nothing")
    if expected is None:
        return found
    if cell.execution_count != expected.execution_count:
        found.append(f"execution count {cell.execution_count} instead of {expected.execution_count}")
    got, want = essence(cell.outputs), essence(expected.outputs)
    if got != want:
        found.append("\n    ".join(["other outputs than those stored (-: missing, +: new)", *difference(want, got)]))
    return found


def execute(path, screen, update, kernel_log):
    """Executes one notebook, whose cells go to the screen; returns a list with a text for each fault."""
    notebook = nbformat.read(path, as_version=4)
    expected = copy.deepcopy(notebook)
    kernel = notebook.metadata.kernelspec.name
    screen.line(f"── {path.name} on the kernel {kernel} " + "─" * 40, "1")
    found = []

    def show(cell, cell_index, **_):
        if cell.cell_type != "code":
            return
        show_code(screen, cell)
        for fault in client.faults_of_asking() + faults(cell, None if update else expected.cells[cell_index]):
            found.append(f"cell {cell_index + 1} of {path.name}: {fault}")
            screen.line(f"  WRONG in {found[-1]}", "31")

    def start(cell, cell_index):
        if cell.cell_type == "markdown":
            show_markdown(screen, cell)

    # allow_errors: an error is judged in show(), and the cells after it are shown all the same.
    client = Typist(notebook, timeout=CELL_TIMEOUT_S, startup_timeout=START_TIMEOUT_S, allow_errors=True,
                    record_timing=False, raise_on_iopub_timeout=True, kernel_name=kernel,
                    resources={"metadata": {"path": str(path.parent)}},
                    on_cell_start=start, on_cell_executed=show)
    client.execute(stdout=kernel_log, stderr=kernel_log)
    executed = sum(cell.cell_type == "code" for cell in notebook.cells)
    if update:
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = joined(cell.outputs)
        nbformat.validate(notebook)
        nbformat.write(notebook, path)
    verdict = f"{len(found)} WRONG" if found else "stored" if update else "all outputs as stored"
    screen.line(f"── {path.name}: {executed} cells executed, {verdict}", "31" if found else "32")
    screen.line()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--update", action="store_true", help="store the outputs in the notebook instead of comparing them")
    parser.add_argument("--kernel-log", type=Path, default=Path(os.devnull), metavar="FILE",
                        help="file for what the kernels themselves write to their terminal")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(errors="replace")  # a terminal that cannot show a character is no fault of the notebook
    screen = Screen()
    fault_count = 0
    with open(arguments.kernel_log, "w", encoding="utf-8") as kernel_log:
        for path in arguments.notebooks:
            try:
                fault_count += len(execute(path, screen, arguments.update, kernel_log))
            except (DeadKernelError, CellTimeoutError) as error:
                screen.line(f"  WRONG in {path.name}: {type(error).__name__}: {error}", "31")
                fault_count += 1
            except Exception as error:  # one line for the person; what a kernel said about it is in its log
                screen.line(f"  {path.name} could not be executed: {type(error).__name__}: {error}", "31")
                fault_count += 1
    return 1 if fault_count else 0


if __name__ == "__main__":
    sys.exit(main())
