# SPDX-License-Identifier: BSD-3-Clause
"""Input through io.read, as jupyter_client's clients give it."""

import time

from support import WAIT_S, collect, kernel, run, wait_for_output


def test_input_reaches_the_code():
    with kernel("lua") as (_, client):
        for value in ("once", "", "größer 🌍", "x" * 100_000):
            msg_id = client.execute("io.write('<' .. io.read() .. '>')", allow_stdin=True)
            request = client.get_stdin_msg(timeout=WAIT_S)
            assert request["msg_type"] == "input_request"
            assert request["parent_header"]["msg_id"] == msg_id
            assert request["content"]["password"] is False
            client.input(value)
            assert collect(client, msg_id).text("stdout") == f"<{value}>"


def test_output_before_the_prompt_is_published_before_it():
    with kernel("lua") as (_, client):
        msg_id = client.execute("io.write('your name? ') return io.read()", allow_stdin=True)
        client.get_stdin_msg(timeout=WAIT_S)
        seen = wait_for_output(client, msg_id, "your name? ")  # comes although nobody has answered
        client.input("Thebe")
        cell = collect(client, msg_id, seen)
        assert cell.value == '"Thebe"'


def test_a_client_that_cannot_type_gets_an_error_at_once():
    with kernel("lua") as (_, client):
        start = time.monotonic()
        cell = run(client, "return io.read()", allow_stdin=False)
        assert cell.status == "error"
        assert time.monotonic() - start < 1
        assert run(client, "1 + 1").value == "2"


def test_stale_answers_are_not_taken():
    with kernel("lua") as (_, client):
        client.input("an answer to no question")
        run(client, "1")
        msg_id = client.execute("return io.read()", allow_stdin=True)
        client.get_stdin_msg(timeout=WAIT_S)
        client.input("the answer")
        assert collect(client, msg_id).value == '"the answer"'


def test_end_of_input():
    with kernel("lua") as (_, client):
        msg_id = client.execute("return io.read() == nil", allow_stdin=True)
        client.get_stdin_msg(timeout=WAIT_S)
        client.input("\x04")
        assert collect(client, msg_id).value == "true"
