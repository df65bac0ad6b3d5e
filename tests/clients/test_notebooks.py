# SPDX-License-Identifier: BSD-3-Clause
"""The notebooks in docs/: each has to give the outputs that are stored in it. After a wanted change, look at the differences and
record them with: python -m pytest tests/clients/test_notebooks.py --update-notebooks"""

import copy

import nbformat
import pytest
from execute_notebook import Screen, execute, faults
from nbformat.v4 import new_code_cell, new_notebook, new_output
from support import ROOT

DOCS = ROOT / "docs"
NOTEBOOKS = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)


@pytest.fixture
def kernel_log(tmp_path):
    with open(tmp_path / "kernel.log", "w", encoding="utf-8") as log:
        yield log


def test_none_is_missing():
    programs = ("report", "parser", "coroutines", "simulation", "interactive")
    assert {"tour.ipynb", "kernels/lua-display.ipynb", *(f"kernels/examples/{name}.ipynb" for name in programs)} <= set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_gives_the_stored_outputs(name, kernel_log, request):
    update = request.config.getoption("--update-notebooks")
    assert execute(DOCS / name, Screen(), update, kernel_log) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_is_complete(name):
    """A cell that was never executed has nothing to compare with."""
    notebook = nbformat.read(DOCS / name, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert any(cell.outputs for cell in notebook.cells if cell.cell_type == "code")


# --- Would a difference be seen? -----------------------------------------------------------------------------------------------

def cell_with(*outputs):
    return new_code_cell("", execution_count=1, outputs=list(outputs))


def stream(text, name="stdout"):
    return new_output("stream", name=name, text=text)


def display(metadata=None, **data):
    return new_output("display_data", data={key.replace("_", "/"): value for key, value in data.items()}, metadata=metadata or {})


def error(evalue="[1]:1: no", traceback=("at [1]:1",)):
    return new_output("error", ename="LuaError", evalue=evalue, traceback=list(traceback))


@pytest.mark.parametrize("stored, got", [
    ([stream("a\n")], []),
    ([], [stream("a\n")]),
    ([stream("a\n")], [stream("b\n")]),
    ([stream("a\n")], [stream("a")]),
    ([stream("a\n")], [stream("a\n", "stderr")]),
    ([stream("a\n"), stream("b\n", "stderr")], [stream("b\n", "stderr"), stream("a\n")]),
    ([display(text_html="<b>1</b>", text_plain="1")], [display(text_html="<b>2</b>", text_plain="1")]),
    ([display(text_html="<b>1</b>", text_plain="1")], [display(text_plain="1")]),
    ([display(application_json={"a": 1})], [display(application_json={"a": 2})]),
    ([display(image_png="iVBORw0KGgo=\n")], [display(image_png="iVBORw0KGgp=\n")]),
    ([display(text_plain="1")], [display(text_plain="1", metadata={"text/plain": {"x": 1}})]),
    ([display(text_plain="1")], [new_output("execute_result", data={"text/plain": "1"}, execution_count=1)]),
], ids=str)
def test_a_changed_output_is_a_fault(stored, got):
    assert len(faults(cell_with(*got), cell_with(*stored))) == 1
    assert faults(cell_with(*got), cell_with(*copy.deepcopy(got))) == []


@pytest.mark.parametrize("got", [error("[1]:2: no"), error(traceback=["at [1]:2"]), stream("[1]:1: no")], ids=str)
def test_another_error_is_a_fault(got):
    stored = cell_with(error())
    stored.metadata.tags = ["raises-exception"]
    executed = copy.deepcopy(stored)
    assert faults(executed, stored) == []
    executed.outputs = [got]
    assert faults(executed, stored) != []


def bar(time, count="8/8 (100 %)"):
    return display(text_html=f'<div><progress max="1" value="1"></progress><span>{count} · {time}</span></div>')


@pytest.mark.parametrize("stored, got", [
    (stream("table: 0x55d0c0ffee00\n"), stream("table: 0x7f0123456789\n")),
    (bar("0.0 s"), bar("1 min 5 s")),
    (error(traceback=["\x1b[31mat\x1b[0m [1]:1"]), error(traceback=["at [1]:1"])),
], ids=["addresses", "times of bars", "colours"])
def test_what_cannot_be_the_same_is_not_compared(stored, got):
    stored, got = cell_with(stored), cell_with(got)
    stored.metadata.tags = got.metadata.tags = ["raises-exception"] if stored.outputs[0].output_type == "error" else []
    assert faults(got, stored) == []


def test_a_bar_that_ends_elsewhere_is_a_fault():
    assert faults(cell_with(bar("0.0 s", "7/8 (88 %)")), cell_with(bar("0.0 s"))) != []


def test_where_a_stream_was_cut_does_not_matter():
    assert faults(cell_with(stream("a\n"), stream("b\n")), cell_with(stream("a\nb\n"))) == []


# --- Input ---------------------------------------------------------------------------------------------------------------------

def question(prompt, answer, **more):
    return {"prompt": prompt, "answer": answer, **more}


@pytest.mark.parametrize("answers, output, fault", [
    ([question("a? ", "1"), question("b? ", "2", password=True)], "1\t2\n", None),
    ([question("A? ", "1"), question("b? ", "2", password=True)], "1\t2\n", "instead of ('A? ', False)"),
    ([question("a? ", "1"), question("b? ", "2")], "1\t2\n", "instead of ('b? ', False)"),
    ([question("a? ", "1")], "1\tnil\n", "asked 'b? ', to which there is no answer"),
    ([question("a? ", "1"), question("b? ", "2", password=True), question("c? ", "3")], "1\t2\n", "did not ask 'c? '"),
    ([], None, "the cell raised"),
], ids=["as expected", "another prompt", "a password", "an answer is missing", "a question is missing", "nobody answers"])
def test_answers(answers, output, fault, tmp_path, kernel_log):
    source = "local j = require 'jupyter' print(j.input 'a? ', j.password 'b? ')"
    cell = new_code_cell(source, execution_count=1, outputs=[stream(output)] if output else [],
                         metadata={"answers": answers} if answers else {})
    kernelspec = {"name": "lua", "display_name": "", "language": ""}
    nbformat.write(new_notebook(cells=[cell], metadata={"kernelspec": kernelspec}), tmp_path / "asking.ipynb")
    found = execute(tmp_path / "asking.ipynb", Screen(), False, kernel_log)
    if fault is None:
        assert found == []
    else:
        assert fault in found[0]
