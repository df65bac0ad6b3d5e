# SPDX-License-Identifier: BSD-3-Clause
"""The programs that people use: Jupyter's server (JupyterLab is its page), nbclient, papermill, the console."""

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import nbformat
import papermill
import pexpect
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from support import WAIT_S, await_end, descendants, false_kernel, is_running
from tornado.httpclient import AsyncHTTPClient, HTTPClient, HTTPError, HTTPRequest
from tornado.websocket import websocket_connect

from adrastea_provisioner import KernelNotStarted

OPTIONS = (
    "--KernelProvisionerFactory.default_provisioner_name=adrastea-provisioner",
    "--IdentityProvider.token=t",
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--port=0",
)


class Server:
    """A Jupyter server in a process of its own."""

    def __init__(self, directory, *options):
        self.log = (directory / "server.log").open("w+")
        environment = {name: value for name, value in os.environ.items() if name != "JUPYTER_DEFAULT_PROVISIONER_NAME"}
        environment["JUPYTER_PATH"] = f"{directory}:{environment['JUPYTER_PATH']}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "jupyter_server", *OPTIONS, f"--ServerApp.root_dir={directory}", *options],
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.url = ""
        for line in self.process.stderr:
            self.log.write(line)
            if address := re.search(r"http://127\.0\.0\.1:\d+/", line):
                self.url = address[0]
                break
        assert self.url, "the server did not start"
        self._wait_until_it_listens()

    def _wait_until_it_listens(self):
        """It says its address a moment before that."""
        port = int(self.url.rpartition(":")[2].strip("/"))
        deadline = time.monotonic() + WAIT_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                assert time.monotonic() < deadline and self.process.poll() is None
                time.sleep(0.01)  # polled: the server's socket

    def request(self, method, path, content=None):
        client = HTTPClient()
        try:
            body = None if method in ("GET", "DELETE") else json.dumps(content or {})
            headers = {"Authorization": "token t"}
            answer = client.fetch(self.url + path, method=method, body=body, headers=headers, request_timeout=WAIT_S)
            return json.loads(answer.body) if answer.body else None
        finally:
            client.close()

    def start(self, kernel):
        return self.request("POST", "api/kernels", {"name": kernel})["id"]

    def execute(self, kernel_id, code):
        return asyncio.run(self._execute(kernel_id, code))

    async def _execute(self, kernel_id, code):
        """A cell over the websocket, as JupyterLab does it; returns its status and what it printed."""
        url = f"{self.url.replace('http', 'ws')}api/kernels/{kernel_id}/channels"
        AsyncHTTPClient.configure(None)
        channels = await websocket_connect(HTTPRequest(url, headers={"Authorization": "token t"}))
        header = {"msg_id": "1", "msg_type": "execute_request", "session": "s", "username": "", "version": "5.3", "date": ""}
        content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}, "allow_stdin": False}
        await channels.write_message(
            json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"})
        )
        text, status, idle = "", None, False
        while status is None or not idle:
            message = json.loads(await asyncio.wait_for(channels.read_message(), WAIT_S))
            if message["parent_header"].get("msg_id") != "1":
                continue
            if message["msg_type"] == "stream":
                text += message["content"]["text"]
            elif message["msg_type"] == "execute_reply":
                status = message["content"]["status"]
            idle = idle or message["content"].get("execution_state") == "idle"
        channels.close()
        return status, text

    def close(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        with self.log:
            self.log.write(self.process.communicate(timeout=WAIT_S)[1])


@contextmanager
def server(directory, *options):
    made = Server(directory, *options)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.parametrize("name", ["lua", "echo", "python3"])
def test_server(tmp_path, name):
    with server(tmp_path) as made:
        kernel = made.start(name)
        assert made.execute(kernel, "print('hello')")[0] == "ok"
        made.request("POST", f"api/kernels/{kernel}/restart")
        assert "hello" in made.execute(kernel, "print('hello')")[1]
        made.request("POST", f"api/kernels/{kernel}/interrupt")
        assert "again" in made.execute(kernel, "print('again')")[1]
        made.request("DELETE", f"api/kernels/{kernel}")
        assert made.request("GET", "api/kernels") == []


def test_server_restarts_a_kernel_that_dies(tmp_path):
    """By itself, on the same connection: an open notebook goes on."""
    with server(tmp_path, "--KernelRestarter.time_to_dead=0.1") as made:
        kernel = made.start("lua")
        _, first = made.execute(kernel, "print(io.open('/proc/self/stat'):read('n'))")
        os.kill(int(float(first)), signal.SIGKILL)
        _, second = made.execute(kernel, "print(io.open('/proc/self/stat'):read('n'))")
        assert first != second


@pytest.mark.parametrize("guard", [True, False])
def test_server_ends_while_a_kernel_starts(tmp_path, guard):
    """And another one runs. What was half started ends with it, and leaves no file."""
    number = tmp_path / "number"
    os.mkfifo(number)
    false_kernel(tmp_path, "silent", str(number))
    with server(tmp_path, f"--AdrasteaProvisioner.guard={guard}") as made:
        made.start("lua")
        with ThreadPoolExecutor() as requests:
            starting = requests.submit(made.start, "false")
            kernel, processes = int(number.read_text()), descendants(made.process.pid)
            assert kernel in processes
            made.process.send_signal(signal.SIGTERM)
            assert made.process.wait(WAIT_S) == 0
            for process in processes:  # the guard is one of them; it removes the files, too
                with suppress(ProcessLookupError):
                    assert await_end(process, WAIT_S)
            assert starting.exception(WAIT_S) is not None, "nobody answers any more"


@pytest.mark.parametrize("deleted", [True, False])
def test_server_ends_a_kernel_that_is_pending(tmp_path, deleted):
    """Its patience is longer than anybody's here."""
    number = tmp_path / "number"
    os.mkfifo(number)
    false_kernel(tmp_path, "silent", str(number))
    options = ("--AsyncMappingKernelManager.use_pending_kernels=True", f"--AdrasteaProvisioner.patience={4 * WAIT_S}")
    with server(tmp_path, *options) as made:
        kernel_id = made.start("false")
        kernel = int(number.read_text())
        if deleted:
            made.request("DELETE", f"api/kernels/{kernel_id}")
            assert not is_running(kernel)
        made.process.send_signal(signal.SIGTERM)
        assert made.process.wait(WAIT_S) == 0
        assert not is_running(kernel)


def test_server_tells_the_user_why_a_kernel_did_not_start(tmp_path):
    false_kernel(tmp_path, "die")
    with server(tmp_path) as made:
        with pytest.raises(HTTPError) as error:
            made.start("false")
        assert made.request("GET", "api/kernels") == []
    answer = json.loads(error.value.response.body)
    assert "exit status 3" in answer["message"]
    assert "ModuleNotFoundError: 100% of the language is missing" in answer["message"].replace("%%", "%")
    assert "ModuleNotFoundError" in (tmp_path / "server.log").read_text()


def test_server_tells_the_user_of_a_setting_that_is_none(tmp_path):
    with server(tmp_path, "--AdrasteaProvisioner.transport=icp") as made:
        with pytest.raises(HTTPError) as error:
            made.start("lua")
        assert made.request("GET", "api/kernels") == []
    message = json.loads(error.value.response.body)["message"]
    assert "'icp'" in message and "'handshake'" in message and "c.AdrasteaProvisioner" in message


def test_server_leaves_no_children_of_a_kernel(tmp_path):
    with server(tmp_path) as made:
        kernel = made.start("python3")
        code = "import subprocess; print(subprocess.Popen(['sleep', '1000']).pid)"
        child = int(made.execute(kernel, code)[1])
        assert is_running(child)
        made.request("POST", f"api/kernels/{kernel}/restart")
        made.execute(kernel, "1")
        assert not is_running(child)
        child = int(made.execute(kernel, code)[1])
        made.request("DELETE", f"api/kernels/{kernel}")
        assert not is_running(child)


def notebook(name, *cells):
    made = nbformat.v4.new_notebook()
    made.metadata["kernelspec"] = {"name": name, "display_name": name, "language": {"python3": "python"}.get(name, name)}
    made.cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    return made


@pytest.mark.parametrize("name", ["lua", "echo", "python3"])
def test_nbclient(name):
    made = NotebookClient(notebook(name, "print('hello')")).execute()
    assert "hello" in made.cells[0].outputs[0].text


def test_nbclient_reports_errors():
    with pytest.raises(CellExecutionError):
        NotebookClient(notebook("lua", "error('no')")).execute()


def test_nbclient_says_why_a_kernel_did_not_start(tmp_path, monkeypatch):
    false_kernel(tmp_path, "die")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    with pytest.raises(KernelNotStarted, match="ModuleNotFoundError"):
        NotebookClient(notebook("false", "1")).execute()


@pytest.mark.parametrize("name", ["lua", "python3"])
def test_papermill(tmp_path, name):
    nbformat.write(notebook(name, "print('hello')"), tmp_path / "in.ipynb")
    made = papermill.execute_notebook(tmp_path / "in.ipynb", tmp_path / "out.ipynb", progress_bar=False)
    assert "hello" in made.cells[-1].outputs[0].text


def test_console_tells_of_a_setting_that_is_none():
    """On one line, as it does with its own."""
    arguments = ["--kernel", "lua", "--AdrasteaProvisioner.transport=icp"]
    console = subprocess.run([sys.executable, "-m", "jupyter_console", *arguments], capture_output=True, text=True, check=False)
    last = console.stderr.splitlines()[-1]
    assert console.returncode == 1 and "Bad config" in last and "'icp'" in last and "c.AdrasteaProvisioner" in last


@pytest.mark.parametrize("name", ["lua", "python3"])
def test_console(name):
    console = pexpect.spawn(
        sys.executable, ["-m", "jupyter_console", "--simple-prompt", "--kernel", name], timeout=WAIT_S, encoding="utf-8"
    )
    console.expect(r"In \[1\]: ")
    console.sendline("print(6 * 7)")
    console.expect("42")
    console.expect(r"In \[2\]: ")
    console.sendeof()
    console.expect_exact("Do you really want to exit")
    console.sendline("y")
    console.expect(pexpect.EOF)
    console.close()
