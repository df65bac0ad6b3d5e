# SPDX-License-Identifier: BSD-3-Clause
"""Completion, inspection, completeness and the pager of the Lua kernel, as clients see them."""

import pytest
from support import collect_reply, kernel, run


@pytest.fixture(scope="module")
def client():
    with kernel("lua") as (_, client):
        yield client


def complete(client, code, cursor=None):
    reply = collect_reply(client, client.complete(code, cursor))["content"]
    assert reply["status"] == "ok"
    return reply


def inspect(client, code, cursor=None, detail_level=0):
    reply = collect_reply(client, client.inspect(code, cursor, detail_level))["content"]
    assert reply["status"] == "ok"
    return reply


def typed(reply):
    return {match["text"]: (match["type"], match["signature"]) for match in reply["metadata"]["_jupyter_types_experimental"]}


def test_cursors_count_characters(client):
    code = "s = 'ä€😀' str"
    reply = complete(client, code)
    assert (reply["matches"], reply["cursor_start"], reply["cursor_end"]) == (["string"], len(code) - 3, len(code))
    assert inspect(client, "s = 'ä€😀' print", len(code))["found"]


def test_completions_have_types(client):
    run(client, "Account = {} function Account:deposit(value) end")
    assert typed(complete(client, "Account:")) == {"deposit": ("function", "(value)")}
    assert typed(complete(client, "string.rep")) == {"rep": ("function", "(s, n [, sep])")}
    assert typed(complete(client, "function f(width) wid")) == {"width": ("param", "")}
    assert typed(complete(client, "strin"))["string"] == ("module", "")


def test_inspection_shows_the_comment_and_the_source_of_a_cell(client):
    cell = run(client, "--- Doubles.\n-- @param x a number\nfunction double(x)\n  return 2 * x\nend")
    place = f"cell [{cell.reply['content']['execution_count']}], line 3"
    short = inspect(client, "double(2)", 8)["data"]
    assert short["text/plain"] == f"double(x)\n\nDoubles.\n\nParameters:\n  x  a number\n\nDefined in: {place}"
    assert short["text/markdown"].startswith("```lua\ndouble(x)\n```\n\nDoubles.")
    assert "return 2 * x" in inspect(client, "double", detail_level=1)["data"]["text/plain"]


@pytest.mark.parametrize("how", [{"store_history": False}, {"silent": True}])
def test_code_that_is_not_stored_leaves_the_source_of_the_last_cell(client, how):
    number = run(client, "function stored()\n  error('here')\nend").reply["content"]["execution_count"]
    run(client, "function unstored()\n  return 'not this line'\nend", **how)
    assert "error('here')" in inspect(client, "stored", detail_level=1)["data"]["text/plain"]
    assert "'not this line'" in inspect(client, "unstored", detail_level=1)["data"]["text/plain"]
    traceback = "\n".join(run(client, "stored()").reply["content"]["traceback"])
    assert f"[{number}]:2" in traceback and "error('here')" in traceback


def test_unknown_names_are_not_found(client):
    assert inspect(client, "no_such_name") == {"status": "ok", "found": False, "data": {}, "metadata": {}}


def test_an_incomplete_cell_gets_its_indentation(client):
    reply = collect_reply(client, client.is_complete("function f()\n    if x then"))["content"]
    assert reply == {"status": "incomplete", "indent": " " * 8}


@pytest.mark.parametrize("code", ["?double", "double?", " double ?\n"])
def test_a_question_mark_opens_the_pager(client, code):
    run(client, "--- Doubles.\nfunction double(x) return 2 * x end")
    cell = run(client, code)
    [payload] = cell.reply["content"]["payload"]
    assert (payload["source"], payload["start"]) == ("page", 0)
    assert payload["data"]["text/plain"].startswith("double(x)\n\nDoubles.")
    assert "return 2 * x" not in payload["data"]["text/plain"]
    assert payload["data"]["text/markdown"]
    assert cell.outputs == []


def test_two_question_marks_show_the_source(client):
    [payload] = run(client, "double??").reply["content"]["payload"]
    assert "return 2 * x" in payload["data"]["text/plain"]


def test_a_question_about_nothing_known_says_so(client):
    cell = run(client, "?no_such_name")
    assert cell.status == "ok" and cell.reply["content"]["payload"] == []
    assert cell.text("stderr") == "Nothing is known about 'no_such_name'.\n"


def test_a_silent_question_opens_nothing(client):
    reply = collect_reply(client, client.execute("?print", silent=True))["content"]
    assert (reply["status"], reply["payload"]) == ("ok", [])


def test_help_comes_while_code_of_the_user_is_hostile(client):
    run(client, "trap = setmetatable({inside = 1}, {__index = error, __pairs = error, __tostring = error})")
    assert complete(client, "trap.")["matches"] == ["inside"]
    assert inspect(client, "trap")["found"]
    assert not inspect(client, "trap.other")["found"]
