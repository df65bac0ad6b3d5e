# SPDX-License-Identifier: BSD-3-Clause
"""jupyter_kernel_test, the project's own acceptance test of kernels, with every sample that our kernels support."""

import jupyter_kernel_test
from support import end


class Polite:
    """Ends the kernel as jupyter_kernel_test does, and looks at how it ended."""

    @classmethod
    def tearDownClass(cls):
        cls.kc.stop_channels()
        end(cls.km)


class TestEcho(Polite, jupyter_kernel_test.KernelTests):
    kernel_name = "echo"
    language_name = "echo"
    file_extension = ".txt"
    code_hello_world = "hello, world"


class TestEchoWelcome(Polite, jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "echo"
    support_iopub_welcome = True


class TestLua(Polite, jupyter_kernel_test.KernelTests):
    kernel_name = "lua"
    language_name = "lua"
    file_extension = ".lua"
    code_hello_world = "print('hello, world')"
    code_stderr = "io.stderr:write('oops')"
    code_generate_error = "error('on purpose')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "return 6 * 7", "result": "42"},
        {"code": "('x'):rep(3)", "result": '"xxx"'},
    ]
    completion_samples = [
        {"text": "pri", "matches": ["print"]},
        {"text": "string.g", "matches": ["gmatch", "gsub"]},
        {"text": "('x'):re", "matches": ["rep", "reverse"]},
        {"text": "local alpha, alps = 1, 2\nal", "matches": ["alpha", "alps"]},
        {"text": "local s = require 'mat", "matches": ["math"]},
        {"text": "whi", "matches": ["while"]},
        {"text": "nothing_like_it", "matches": []},
    ]
    code_display_data = [{"code": "require('jupyter').html('<b>bold</b>')", "mime": "text/html"}]
    code_clear_output = "require('jupyter').clear_output()"
    code_inspect_sample = "string.rep"
    code_page_something = "?string.rep"
    complete_code_samples = ["print('x')", "x = 1", "for i = 1, 3 do print(i) end", "return 1", "1 + 1", "[[a\nb]]", "print?"]
    incomplete_code_samples = ["for i = 1, 3 do", "function f(", "print('x'", "x =", "s = [[a", "--[[ a", "x = 'a\\"]
    invalid_code_samples = ["for for", "x = = 1", "end", "'abc", "goto nowhere", "?"]
    code_history_pattern = "6 ?*7"
    supported_history_operations = ("tail", "range", "search")


class TestLuaWelcome(Polite, jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "lua"
    support_iopub_welcome = True
