# SPDX-License-Identifier: BSD-3-Clause
"""Jupyter sees the kernels of build/prefix and nothing of its user; every message passes the tap."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest
from support import PREFIX
from tap import Tap

# Short, because the addresses of ipc are paths of at most 107 bytes; in /tmp, because a checkout may lie deep.
_home = Path(tempfile.mkdtemp(prefix="adr-", dir="/tmp"))
_runtime = _home / "run"


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
    if not (PREFIX / "share" / "jupyter" / "kernels").is_dir():
        pytest.exit(f"no kernels installed in {PREFIX}: run scripts/run first, or set ADRASTEA_PREFIX", returncode=2)


_tap = Tap()
_tap.install()


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
    session.config.leftovers = _leftovers()
    session.config.invalid = _tap.take()
    if (session.config.leftovers or session.config.invalid or _tap.count == 0) and session.exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter, config):
    report = terminalreporter
    report.line(f"tap: {_tap.count} messages of {len(_tap.types)} types validated ({', '.join(sorted(_tap.types))})")
    for fault in getattr(config, "invalid", []):
        report.line(f"INVALID outside of a test: {fault}", red=True)
    for name in getattr(config, "leftovers", []):
        report.line(f"LEFT BEHIND in the runtime directory: {name}", red=True)


def pytest_unconfigure():
    shutil.rmtree(_home, ignore_errors=True)
