# SPDX-License-Identifier: BSD-3-Clause
"""Lua's module "jupyter" as real clients see it: messages that are valid, displays that nbclient updates, comms both ways."""

import base64
import uuid

import nbformat
import pytest
from nbclient import NotebookClient
from support import WAIT_S, collect, collect_iopub, kernel, run

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")


@pytest.fixture(scope="module")
def client():
    with kernel("lua") as (_, ready):
        run(ready, "jupyter = require 'jupyter'")
        yield ready


def only(cell, message_type="display_data"):
    assert cell.status == "ok", cell.reply["content"]
    (message,) = cell.outputs
    assert message["msg_type"] == message_type
    return message["content"]


def escaped(data):
    return "".join(f"\\x{byte:02x}" for byte in data)


def test_each_kind_of_output(client):
    assert only(run(client, "jupyter.html '<b>ü</b>'"))["data"]["text/html"] == "<b>ü</b>"
    assert only(run(client, "jupyter.markdown '*a*'"))["data"]["text/markdown"] == "*a*"
    assert only(run(client, "jupyter.latex '$x$'"))["data"]["text/latex"] == "$x$"
    assert only(run(client, "jupyter.svg '<svg/>'"))["data"]["image/svg+xml"] == "<svg/>"
    assert only(run(client, "jupyter.json {a = {1, jupyter.null}}"))["data"]["application/json"] == {"a": [1, None]}
    image = only(run(client, f'jupyter.image("{escaped(PNG)}", {{width = 20}})'))
    assert base64.b64decode(image["data"]["image/png"]) == PNG
    assert image["metadata"] == {"image/png": {"width": 20}}
    chart = only(run(client, "jupyter.vegalite {mark = 'point'}"))
    assert chart["data"]["application/vnd.vegalite.v5+json"] == {"mark": "point"}


def test_a_value_that_draws_itself(client):
    cell = run(client, "setmetatable({}, {__mimebundle = function() return {['text/html'] = 'h', ['text/plain'] = 'p'} end})")
    assert only(cell, "execute_result")["data"] == {"text/html": "h", "text/plain": "p"}


def test_output_and_updates_keep_their_order(client):
    cell = run(client, "print 'a' local h = jupyter.display(1, {id = 'x'}) print 'b' h:update(2) jupyter.clear_output(true) print 'c'")
    assert [m["msg_type"] for m in cell.outputs] == [
        "stream", "display_data", "stream", "update_display_data", "clear_output", "stream"]
    assert [m["content"]["transient"]["display_id"] for m in cell.outputs if "display" in m["msg_type"]] == ["x", "x"]
    assert cell.outputs[4]["content"] == {"wait": True}


def test_silent_cells_show_nothing(client):
    assert run(client, "jupyter.html 'x'", silent=True).outputs == []


def test_the_module_can_be_asked_about(client):
    [payload] = run(client, "?jupyter.html").reply["content"]["payload"]
    assert payload["data"]["text/plain"].startswith("jupyter.html(text [, options])")


def test_prompts(client):
    msg_id = client.execute("return jupyter.input('Name? '), jupyter.password('Key: ')", allow_stdin=True)
    for prompt, password, answer in (("Name? ", False, "Ada"), ("Key: ", True, "pass")):
        request = client.get_stdin_msg(timeout=WAIT_S)
        assert request["content"] == {"prompt": prompt, "password": password}
        client.input(answer)
    assert collect(client, msg_id).value == '"Ada"\t"pass"'
    refused = run(client, "jupyter.input()")
    assert refused.reply["content"]["status"] == "error"


def test_an_interrupt_ends_a_prompt():
    with kernel("lua") as (manager, client):
        msg_id = client.execute("require('jupyter').input('? ')", allow_stdin=True)
        client.get_stdin_msg(timeout=WAIT_S)
        manager.interrupt_kernel()
        cell = collect(client, msg_id)
        assert cell.reply["content"]["ename"] == "Interrupted"
        assert run(client, "1 + 1").value == "2"


def test_progress_shows_few_updates_and_the_last_state(client):
    cell = run(client, "local bar = jupyter.progress(1e6) for i = 1, 1e6 - 1 do bar:update() end")
    updates = [m for m in cell.outputs if m["msg_type"] == "update_display_data"]
    assert 1 <= len(updates) < 200
    assert "999999/1000000 (99 %)" in updates[-1]["content"]["data"]["text/plain"]


def test_nbclient_updates_displays_in_place(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[
        nbformat.v4.new_code_cell("jupyter = require 'jupyter' h = jupyter.html 'first'"),
        nbformat.v4.new_code_cell("h:update{['text/html'] = 'second'}"),
        nbformat.v4.new_code_cell("for x in jupyter.progress_of{1, 2, 3} do end"),
    ])
    NotebookClient(notebook, kernel_name="lua", timeout=WAIT_S, resources={"metadata": {"path": str(tmp_path)}}).execute()
    nbformat.validate(notebook)
    assert notebook.cells[0].outputs[0].data["text/html"] == "second"
    assert notebook.cells[1].outputs == []
    (bar,) = notebook.cells[2].outputs
    assert bar.data["text/plain"].endswith("3/3 (100 %)")


def send(client, message_type, content, buffers=(), metadata=None):
    """Sends a comm message on shell; returns what the kernel published for it."""
    message = client.session.msg(message_type, content, metadata=metadata)
    message["buffers"] = list(buffers)
    client.session.send(client.shell_channel.socket, message, buffers=list(buffers))
    return [m for m in collect_iopub(client, message["header"]["msg_id"]) if m["msg_type"] != "status"]


def test_comms_both_ways(client):
    run(client, "jupyter.comm.register('echo', function(comm, opened) print('open', opened.data.n) "
                "comm:on_message(function(c, m) c:send(m.data, {seen = true}, m.buffers) end) "
                "comm:on_close(function() print 'closed' end) end)")
    comm_id = uuid.uuid4().hex
    (printed,) = send(client, "comm_open", {"comm_id": comm_id, "target_name": "echo", "data": {"n": 7}})
    assert printed["content"]["text"] == "open\t7\n"
    data = {"list": [], "object": {}, "null": None, "nested": [1, 2.5, None, {"ö": "🌍"}]}
    buffers = [b"\x00\xff" * 100_000, b"", b"x"]
    (answer,) = send(client, "comm_msg", {"comm_id": comm_id, "data": data}, buffers)
    assert (answer["msg_type"], answer["content"]["data"]) == ("comm_msg", data)
    assert answer["metadata"] == {"seen": True}
    assert [bytes(buffer) for buffer in answer["buffers"]] == buffers
    (printed,) = send(client, "comm_close", {"comm_id": comm_id, "data": {}})
    assert printed["content"]["text"] == "closed\n"


def test_lua_opens_a_comm(client):
    opened, message, closed = run(client, "c = jupyter.comm.open('view', {a = 1}, nil, {'b'}) c:send{x = 2} c:close()").outputs
    assert opened["content"]["target_name"] == "view"
    assert opened["content"]["data"] == {"a": 1}
    assert bytes(opened["buffers"][0]) == b"b"
    assert message["content"] == {"comm_id": opened["content"]["comm_id"], "data": {"x": 2}}
    assert closed["msg_type"] == "comm_close"


def test_an_error_in_a_handler_is_seen_in_the_notebook(client):
    run(client, "jupyter.comm.register('broken', function(comm) comm:on_message(function() error 'in a handler' end) end)")
    comm_id = uuid.uuid4().hex
    send(client, "comm_open", {"comm_id": comm_id, "target_name": "broken", "data": {}})
    (text,) = send(client, "comm_msg", {"comm_id": comm_id, "data": {}})
    assert text["content"]["name"] == "stderr"
    assert "in a handler" in text["content"]["text"]
    run(client, "jupyter.comm.register('refuses', function() error 'never' end)")
    *_, answer = send(client, "comm_open", {"comm_id": uuid.uuid4().hex, "target_name": "refuses", "data": {}})
    assert answer["msg_type"] == "comm_close"
    assert run(client, "1 + 1").value == "2"


def test_a_handler_can_be_interrupted():
    with kernel("lua") as (manager, client):
        run(client, "require('jupyter').comm.register('spin', function() print 'spinning' while true do end end)")
        message = client.session.msg("comm_open", {"comm_id": uuid.uuid4().hex, "target_name": "spin", "data": {}})
        client.session.send(client.shell_channel.socket, message)
        seen = []
        while not seen or seen[-1]["msg_type"] != "stream":
            got = client.get_iopub_msg(timeout=WAIT_S)
            if got["parent_header"].get("msg_id") == message["header"]["msg_id"]:
                seen.append(got)
        manager.interrupt_kernel()
        published = collect_iopub(client, message["header"]["msg_id"], seen)
        assert any("Interrupted" in m["content"].get("text", "") for m in published)
        assert run(client, "1 + 1").value == "2"
