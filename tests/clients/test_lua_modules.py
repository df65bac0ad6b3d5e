# SPDX-License-Identifier: BSD-3-Clause
"""The modules that Debian packages for Lua, C and Lua ones, in the kernel."""

import pytest
from support import kernel, run

PROGRAMS = {
    "cjson": ("return cjson.encode {1, 'ä', {x = cjson.null}}, cjson.decode '[1, [2]]'[2][1]", '"[1,\\"ä\\",{\\"x\\":null}]"\t2.0'),
    "lpeg": ("return lpeg.match(lpeg.Ct((lpeg.C(lpeg.R '09' ^ 1) + 1) ^ 0), 'a1b22')", '{"1", "22"}'),
    "re": ("return re.match('one two', '{%w+} %s {%w+}')", '"one"\t"two"'),
    "lfs": ("return lfs.attributes('/', 'mode')", '"directory"'),
    "pl.List": ("return tostring(pl_List.range(1, 4):map('_ * _'))", '"{1,4,9,16}"'),
    "socket": ("""
local server = assert(socket.bind("127.0.0.1", 0))
local _, port = server:getsockname()
local client = assert(socket.connect("127.0.0.1", port))
local peer = assert(server:accept())
client:send "one line\\n"
local line = peer:receive()
client:close() peer:close() server:close()
return line""", '"one line"'),
}


@pytest.mark.parametrize("module", PROGRAMS)
def test_a_module_of_debian_works(module):
    code, value = PROGRAMS[module]
    with kernel("lua") as (_, client):
        cell = run(client, f"local {module.replace('.', '_')} = require '{module}'\n{code}")
        assert cell.status == "ok", cell.reply["content"]
        assert cell.value == value


def test_a_c_module_raises_into_the_cell():
    with kernel("lua") as (_, client):
        cell = run(client, "require 'cjson'.decode '{'")
        assert cell.status == "error"
        assert "T_END" in cell.reply["content"]["evalue"]
        assert run(client, "1 + 1").value == "2"
