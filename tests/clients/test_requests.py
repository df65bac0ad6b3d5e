# SPDX-License-Identifier: BSD-3-Clause
"""The rest of the requests that a frontend makes, through jupyter_client."""

from support import WAIT_S, collect_iopub, collect_reply, kernel, run


def ask(client, msg_id):
    """The reply to a request on shell; its busy and idle must come too."""
    collect_iopub(client, msg_id)
    return collect_reply(client, msg_id)["content"]


def test_silent_code_leaves_no_trace():
    with kernel("lua") as (_, client):
        assert run(client, "x = 1").reply["content"]["execution_count"] == 1
        cell = run(client, "x = 2 print('unheard') return x", silent=True)
        assert cell.status == "ok"
        assert [message["msg_type"] for message in cell.iopub] == ["status", "status"]
        cell = run(client, "return x")
        assert (cell.value, cell.reply["content"]["execution_count"]) == ("2", 2)


def test_user_expressions():
    with kernel("lua") as (_, client):
        cell = run(client, "x = 20", user_expressions={"good": "x + 1", "bad": "error('on purpose')"})
        values = cell.reply["content"]["user_expressions"]
        assert values["good"]["status"] == "ok"
        assert values["good"]["data"]["text/plain"] == "21"
        assert values["bad"]["status"] == "error"
        assert "on purpose" in values["bad"]["evalue"]


def test_questions_that_echo_does_not_understand_have_answers_too(kernel_name):
    with kernel(kernel_name) as (_, client):
        completion = ask(client, client.complete("größer 🌍 zzz", 12))
        assert completion["status"] == "ok"
        assert completion["matches"] == []
        assert completion["cursor_start"] == completion["cursor_end"] == 12
        inspection = ask(client, client.inspect("no_such_name_at_all", 3))
        assert (inspection["status"], inspection["found"]) == ("ok", False)
        assert ask(client, client.is_complete("1"))["status"] in ("complete", "unknown")
        assert ask(client, client.comm_info())["comms"] == {}


def test_a_request_that_nobody_knows():
    """No reply is due, but busy and idle are, and the next request is served."""
    with kernel("echo") as (_, client):
        request = client.session.msg("no_such_request", {"x": 1})
        client.shell_channel.send(request)
        collect_iopub(client, request["header"]["msg_id"])
        assert run(client, "hello").status == "ok"


def test_control_has_answers_for_what_is_not_offered_yet():
    with kernel("echo") as (_, client):
        info = client.kernel_info(reply=True, timeout=WAIT_S)["content"]
        assert "debugger" not in info.get("supported_features", [])
        request = client.session.msg("usage_request", {})
        client.control_channel.send(request)
        reply = client.get_control_msg(timeout=WAIT_S)
        assert reply["msg_type"] == "usage_reply"
        assert reply["content"]["kernel_memory"] > 0
