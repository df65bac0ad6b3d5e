# SPDX-License-Identifier: BSD-3-Clause
"""History as Jupyter's clients ask for it, over the lives of several kernels."""

import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support import collect_iopub, collect_reply, connect, kernel, make_manager, run

KERNELS_AT_ONCE = 8
CELLS = 5


@pytest.fixture(autouse=True)
def data_directory(tmp_path, monkeypatch):
    """A data directory of its own for each test: nothing of the other tests' history is in it."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path))
    return tmp_path


def history_file(name):
    return Path(os.environ["JUPYTER_DATA_DIR"]) / "adrastea" / "history" / f"{name}.sqlite"


def history(client, **request):
    """The entries of a reply; the request's busy and idle must come too."""
    msg_id = client.history(**request)
    collect_iopub(client, msg_id)
    return [tuple(entry) for entry in collect_reply(client, msg_id)["content"]["history"]]


def test_history(kernel_name):
    with kernel(kernel_name) as (_, client):
        codes = ["x = 1", "y = 2", "x = 3"]
        for code in codes:
            run(client, code)
        run(client, "unseen = 1", store_history=False)
        assert [entry[2] for entry in history(client, hist_access_type="tail", n=10)] == codes
        found = history(client, hist_access_type="search", pattern="x*", n=10)
        assert [entry[2] for entry in found] == ["x = 1", "x = 3"]
        part = history(client, hist_access_type="range", session=0, start=2, stop=3)
        assert [entry[1:] for entry in part] == [(2, "y = 2")]


def test_history_survives_a_restart(kernel_name):
    with kernel(kernel_name) as (manager, client):
        run(client, "first = 1")
        manager.restart_kernel()
        client.wait_for_ready()
        run(client, "second = 2")
        assert history(client, hist_access_type="tail", n=10) == [(1, 1, "first = 1"), (2, 1, "second = 2")]
        assert history(client, hist_access_type="range", session=-1) == [(1, 1, "first = 1")]
        assert history(client, hist_access_type="search", pattern="*= ?", n=1) == [(2, 1, "second = 2")]
    with sqlite3.connect(history_file(kernel_name)) as database:
        rows = database.execute("SELECT session, line, input FROM lines ORDER BY id").fetchall()
        assert rows == [(1, 1, "first = 1"), (2, 1, "second = 2")]
        assert all(end >= start for start, end in database.execute("SELECT start, end FROM sessions"))


def test_history_shows_outputs(kernel_name):
    with kernel(kernel_name) as (_, client):
        run(client, "6 * 7")
        output = "42" if kernel_name == "lua" else None
        for session in (0, 1):
            entries = history(client, hist_access_type="range", session=session, output=True)
            assert entries == [(1, 1, ["6 * 7", output])]


def test_kernels_at_once_share_a_history():
    def life(number):
        with kernel("lua") as (_, client):
            for cell in range(CELLS):
                run(client, f"k, n = {number}, {cell}")
            return [entry[2] for entry in history(client, hist_access_type="range", session=0)]

    with ThreadPoolExecutor(KERNELS_AT_ONCE) as pool:
        lives = list(pool.map(life, range(KERNELS_AT_ONCE)))
    with kernel("lua") as (_, client):
        sessions = {}
        for session, _, code in history(client, hist_access_type="tail", n=1000):
            sessions.setdefault(session, []).append(code)
    assert sorted(sessions.values()) == sorted(lives)
    assert all(len(cells) == CELLS for cells in lives)


def test_history_can_be_switched_off(monkeypatch):
    manager = make_manager("lua")
    manager.start_kernel(extra_arguments=["--no-history"])
    client = connect(manager)
    run(client, "x = 1")
    assert history(client, hist_access_type="tail", n=10) == [(1, 1, "x = 1")]
    client.stop_channels()
    manager.shutdown_kernel()
    monkeypatch.setenv("ADRASTEA_HISTORY", "off")
    with kernel("lua") as (_, client):
        run(client, "x = 2")
        assert history(client, hist_access_type="tail", n=10) == [(1, 1, "x = 2")]
    assert not history_file("lua").exists()
