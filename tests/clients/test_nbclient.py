# SPDX-License-Identifier: BSD-3-Clause
"""Notebooks through nbclient."""

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support import WAIT_S, collect, kernel
from nbformat.v4 import new_code_cell, new_notebook


def notebook(kernel_name, *sources):
    cells = [new_code_cell(source) for source in sources]
    return new_notebook(cells=cells, metadata={"kernelspec": {"name": kernel_name, "display_name": "", "language": ""}})


def execute(kernel_name, *sources, **options):
    nb = notebook(kernel_name, *sources)
    NotebookClient(nb, timeout=WAIT_S, kernel_name=kernel_name, raise_on_iopub_timeout=True, **options).execute()
    nbformat.validate(nb)
    return nb.cells


def test_echo():
    first, second = execute("echo", "one\ntwo", "größer 🌍")
    assert first.outputs[0].text.rstrip("\n") == "one\ntwo"
    assert second.outputs[0].text.rstrip("\n") == "größer 🌍"
    assert (first.execution_count, second.execution_count) == (1, 2)


def test_outputs_are_in_the_order_of_the_code():
    (cell,) = execute("lua", "print('a') io.stderr:write('b\\n') os.execute('echo c') print('d') return 'e'")
    got = [(output.output_type, output.get("name")) for output in cell.outputs]
    assert got == [("stream", "stdout"), ("stream", "stderr"), ("stream", "stdout"), ("execute_result", None)]
    assert [output.text for output in cell.outputs[:3]] == ["a\n", "b\n", "c\nd\n"]
    assert cell.outputs[3].data["text/plain"] == '"e"'


def test_an_error_ends_the_notebook():
    nb = notebook("lua", "x = 1", "error('on purpose')", "x = 2")
    with pytest.raises(CellExecutionError, match="on purpose"):
        NotebookClient(nb, timeout=WAIT_S, kernel_name="lua").execute()
    assert nb.cells[1].outputs[0].output_type == "error"
    assert "on purpose" in nb.cells[1].outputs[0].evalue
    assert nb.cells[2].execution_count is None


def test_allow_errors_goes_on():
    cells = execute("lua", "x = 1", "error('on purpose')", "return x", allow_errors=True)
    assert [output.output_type for output in cells[1].outputs] == ["error"]
    assert cells[2].outputs[0].data["text/plain"] == "1"
    assert [cell.execution_count for cell in cells] == [1, 2, 3]


def burst(client, codes, **options):
    """Sends all requests before the first reply, as a frontend's "run all" does."""
    return [collect(client, msg_id) for msg_id in [client.execute(code, **options) for code in codes]]


def test_stop_on_error_aborts_the_rest_of_the_burst():
    with kernel("lua") as (_, client):
        # The first cell holds the kernel until the rest of the burst has certainly been sent.
        cells = burst(client, ["print(io.popen('sleep 0.5'):read('a'))", "error('on purpose')", *["print('no')"] * 20])
        assert [cell.status for cell in cells] == ["ok", "error"] + ["aborted"] * 20
        assert all(cell.outputs == [] for cell in cells[2:])
        after = burst(client, ["return 1"])[0]
        assert after.status == "ok"
        assert after.reply["content"]["execution_count"] == 3


def test_without_stop_on_error_all_run():
    with kernel("lua") as (_, client):
        cells = burst(client, ["error('on purpose')", "print('yes')"], stop_on_error=False)
        assert [cell.status for cell in cells] == ["error", "ok"]
        assert cells[1].text() == "yes\n"


def test_a_hundred_cells():
    cells = execute("lua", "sum = 0", *[f"sum = sum + {number} print(sum)" for number in range(1, 101)], "return sum")
    assert [cell.outputs[0].text for cell in cells[1:-1]] == [f"{n * (n + 1) // 2}\n" for n in range(1, 101)]
    assert cells[-1].outputs[0].data["text/plain"] == "5050"
