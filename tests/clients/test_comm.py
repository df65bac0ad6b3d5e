# SPDX-License-Identifier: BSD-3-Clause
"""Comms: a target of the kernel comm-kernel (comm_kernel.cpp), and what happens where nobody answers."""

import uuid

import pytest
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from support import BUILD, WAIT_S, collect_iopub, kernel, run


class CommKernelSpecs(KernelSpecManager):
    """Knows the test's own kernel, which is not installed."""

    def get_kernel_spec(self, kernel_name):
        return KernelSpec(argv=[str(BUILD / "bin" / "comm-kernel"), "-f", "{connection_file}"], name=kernel_name,
                          display_name="Comms", language="comms")


@pytest.fixture
def client():
    with kernel("comms", kernel_spec_manager=CommKernelSpecs()) as (_, ready):
        yield ready


def send(client, message_type, content, buffers=()):
    """Sends a comm message on shell; returns what the kernel published for it."""
    message = client.session.msg(message_type, content)
    message["buffers"] = list(buffers)
    client.session.send(client.shell_channel.socket, message, buffers=list(buffers))
    return [m for m in collect_iopub(client, message["header"]["msg_id"]) if m["msg_type"] != "status"]


def open_comm(client, target, data):
    comm_id = uuid.uuid4().hex
    return comm_id, send(client, "comm_open", {"comm_id": comm_id, "target_name": target, "data": data})


def test_echo_with_buffers(client):
    comm_id, published = open_comm(client, "echo", {"greeting": "größer 🌍"})
    assert published == []
    for buffers in ([], [b""], [b"\x00\xff" * 100_000, b"", b"x"]):
        data = {"nested": [1, 2.5, None, {"ö": "🌍"}], "count": len(buffers)}
        (answer,) = send(client, "comm_msg", {"comm_id": comm_id, "data": data}, buffers)
        assert answer["msg_type"] == "comm_msg"
        assert answer["content"] == {"comm_id": comm_id, "data": data}
        assert [bytes(buffer) for buffer in answer["buffers"]] == buffers


def test_comm_info_knows_open_comms(client):
    comm_id, _ = open_comm(client, "echo", {})
    for target in (None, "echo"):
        assert client.comm_info(target, reply=True, timeout=WAIT_S)["content"]["comms"] == {comm_id: {"target_name": "echo"}}
    assert client.comm_info("other", reply=True, timeout=WAIT_S)["content"]["comms"] == {}
    assert send(client, "comm_close", {"comm_id": comm_id, "data": {}}) == []
    assert client.comm_info(reply=True, timeout=WAIT_S)["content"]["comms"] == {}


def test_the_kernel_opens_and_closes(client):
    opened, message, closed = run(client, "open").outputs
    comm_id = opened["content"]["comm_id"]
    assert opened["msg_type"] == "comm_open"
    assert opened["content"]["target_name"] == "from-kernel"
    assert (message["msg_type"], message["content"]["comm_id"]) == ("comm_msg", comm_id)
    assert (closed["msg_type"], closed["content"]["comm_id"]) == ("comm_close", comm_id)


def test_a_handler_that_throws_does_no_harm(client):
    comm_id, _ = open_comm(client, "echo", {})
    send(client, "comm_msg", {"comm_id": comm_id, "data": {"throw": True}})
    (answer,) = send(client, "comm_msg", {"comm_id": comm_id, "data": {"x": 1}})
    assert answer["content"]["data"] == {"x": 1}


def test_unknown_targets_and_comms_are_closed_at_once(client):
    for target in ("no-such-target", "throws"):
        comm_id, (answer,) = open_comm(client, target, {})
        assert answer["msg_type"] == "comm_close"
        assert answer["content"]["comm_id"] == comm_id
    (answer,) = send(client, "comm_msg", {"comm_id": "never-opened", "data": {}})
    assert (answer["msg_type"], answer["content"]["comm_id"]) == ("comm_close", "never-opened")
    assert send(client, "comm_close", {"comm_id": "never-opened", "data": {}}) == []
