# SPDX-License-Identifier: BSD-3-Clause
"""Jupyter sees the kernels of build/prefix and nothing of its user; every message passes the tap."""

import itertools
import os
import random
import shutil
import socket
import tempfile
from pathlib import Path

import pytest
from jupyter_client.connect import LocalPortCache
from support import PREFIX
from tap import Tap

# Short, because the addresses of ipc are paths of at most 107 bytes; in /tmp, because a checkout may lie deep.
_home = Path(tempfile.mkdtemp(prefix="adr-", dir="/tmp"))
_runtime = _home / "run"


_SHARE = 4000


def _steady_ports():
    """Ports below those that the system gives away, a share of its own for each worker. jupyter_client lets go of a port before
    its kernel binds it: what the system chooses, a test beside this one may get meanwhile."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8").split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first, begin = lowest - _SHARE * (1 + worker % 3), random.randrange(_SHARE)
    return map(lambda n: first + (begin + n) % _SHARE, itertools.count())  # unlike a generator, for threads


_ports = _steady_ports()


def _find_available_port(cache, ip):
    for port in _ports:
        with socket.socket() as probe:
            if port not in cache.currently_used_ports and probe.connect_ex((ip, port)) != 0:
                cache.currently_used_ports.add(port)
                return port


def pytest_addoption(parser):
    parser.addoption("--update-notebooks", action="store_true",
                     help="test_notebooks.py stores the outputs in the notebooks of docs/ instead of comparing them")


def pytest_configure():
    for variable in ("JUPYTER_CONFIG_PATH", "JUPYTER_PREFER_ENV_PATH"):
        os.environ.pop(variable, None)
    os.environ["JUPYTER_PATH"] = str(PREFIX / "share" / "jupyter")
    os.environ["JUPYTER_RUNTIME_DIR"] = str(_runtime)
    for name, variable in {"config": "JUPYTER_CONFIG_DIR", "data": "JUPYTER_DATA_DIR", "ipython": "IPYTHONDIR",
                           "home": "HOME", "cache": "XDG_CACHE_HOME"}.items():
        os.environ[variable] = str(_home / name)
        (_home / name).mkdir()
    _runtime.mkdir(mode=0o700)
    LocalPortCache.find_available_port = _find_available_port
    if not (PREFIX / "share" / "jupyter" / "kernels").is_dir():
        pytest.exit(f"no kernels installed in {PREFIX}: run scripts/run first, or set ADRASTEA_PREFIX", returncode=2)


_tap = Tap()
_tap.install()
_left = []


@pytest.fixture
def tap():
    return _tap


@pytest.fixture(autouse=True)
def only_valid_messages(tap):
    """Fails a test during which an invalid message came, whatever else it found."""
    yield
    invalid = tap.take()
    assert not invalid, "messages that break the protocol's schemas:\n" + "\n".join(invalid[:20])


@pytest.fixture(params=["tcp", "ipc"])
def transport(request):
    return request.param


@pytest.fixture(params=["echo", "lua"])
def kernel_name(request):
    return request.param


def _leftovers():
    """Files in the runtime directory that outlived their kernels. Jupyter's programs keep caches beside them."""
    return sorted(path.name for path in _runtime.iterdir() if path.name.startswith("kernel-"))


def pytest_sessionfinish(session):
    """A worker of pytest-xdist hands over what it has seen; who has no workers, or all of theirs, judges it."""
    _left.extend(_leftovers())
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tap"], session.config.workeroutput["left"] = _tap.report(), _left
    elif (_left or _tap.invalid or _tap.count == 0) and session.exitstatus == 0:
        session.exitstatus = 1


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """One that died has handed over nothing; pytest-xdist fails the test that it was at."""
    output = getattr(node, "workeroutput", {})
    if "tap" in output:
        _tap.add(output["tap"])
        _left.extend(output["left"])


def pytest_terminal_summary(terminalreporter):
    report = terminalreporter
    report.line(f"tap: {_tap.count} messages of {len(_tap.types)} types validated ({', '.join(sorted(_tap.types))})")
    for fault in _tap.invalid:
        report.line(f"INVALID outside of a test: {fault}", red=True)
    for name in _left:
        report.line(f"LEFT BEHIND in the runtime directory: {name}", red=True)


def pytest_unconfigure():
    shutil.rmtree(_home, ignore_errors=True)
