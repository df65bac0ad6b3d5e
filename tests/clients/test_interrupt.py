# SPDX-License-Identifier: BSD-3-Clause
"""The stop button, in both of the ways in which a Jupyter manager presses it."""

import time

import pytest
from support import WAIT_S, collect, collect_reply, kernel, respecified, run, wait_for_output

# From the button to the error reply; a person calls more than this "hanging".
INTERRUPT_S = 1.0


@pytest.fixture(params=["signal", "message"])
def lua(request, tmp_path):
    specs = respecified("lua", tmp_path, interrupt_mode=request.param)
    with kernel("lua", kernel_spec_manager=specs) as pair:
        assert pair[0].kernel_spec.interrupt_mode == request.param
        yield pair


def interrupted(manager, client, code, **options):
    """Runs code until it prints, interrupts it, and returns its reply."""
    msg_id = client.execute(code, **options)
    wait_for_output(client, msg_id, "running")
    start = time.monotonic()
    manager.interrupt_kernel()
    reply = collect_reply(client, msg_id)
    took = time.monotonic() - start
    assert took < INTERRUPT_S, f"{took:.2f} s from the interrupt to the reply"
    return reply


def undisturbed(client):
    """The next cell runs as if nothing had been."""
    cell = run(client, "1 + 1")
    assert cell.value == "2", cell.reply["content"]


@pytest.mark.parametrize(
    "code",
    ["print('running') while true do end", "while true do print('running') end", "print('running') repeat until false"],
    ids=["loop", "printing", "repeat"],
)
def test_running_code(lua, code):
    manager, client = lua
    reply = interrupted(manager, client, code)
    assert reply["content"]["status"] == "error"
    assert "nterrupt" in reply["content"]["ename"] + reply["content"]["evalue"]
    undisturbed(client)


def test_waiting_input(lua):
    manager, client = lua
    msg_id = client.execute("print('running') return io.read()", allow_stdin=True)
    client.get_stdin_msg(timeout=WAIT_S)
    manager.interrupt_kernel()
    assert collect_reply(client, msg_id)["content"]["status"] == "error"
    client.input("too late")
    undisturbed(client)


def test_child_process(lua):
    """A cell that waits for a program ends with it: the interrupt reaches the whole process group."""
    manager, client = lua
    reply = interrupted(manager, client, "print('running') os.execute('exec sleep 60')")
    assert reply["content"]["status"] in ("ok", "error")
    undisturbed(client)


def test_idle_kernel_does_not_notice(lua):
    """A message is on another socket than the next cell and could overtake it: so its reply is awaited."""
    manager, client = lua
    for _ in range(50):
        if manager.kernel_spec.interrupt_mode == "signal":
            manager.interrupt_kernel()
        else:
            client.control_channel.send(client.session.msg("interrupt_request", {}))
            assert client.get_control_msg(timeout=WAIT_S)["content"] == {"status": "ok"}
        undisturbed(client)


def test_interrupt_aborts_what_is_queued(lua):
    """Queued is what has reached the kernel: nobody outside can see that, so the cell gives it half a second."""
    manager, client = lua
    busy = client.execute("local t = os.clock() repeat until os.clock() - t > 0.5 print('running') while true do end")
    queued = [client.execute(f"print({number})") for number in range(3)]
    wait_for_output(client, busy, "running")
    manager.interrupt_kernel()
    assert collect_reply(client, busy)["content"]["status"] == "error"
    for msg_id in queued:
        cell = collect(client, msg_id)
        assert cell.status == "aborted"
        assert cell.outputs == []
    undisturbed(client)
