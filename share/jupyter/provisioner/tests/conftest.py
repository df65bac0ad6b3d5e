# SPDX-License-Identifier: BSD-3-Clause
"""Jupyter sees the installed kernels and nothing of its user; nothing may be left of any kernel after its test."""

import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.provisioning import KernelProvisionerFactory
from support import PREFIX, WAIT_S, descendants, managers, settings

from adrastea_provisioner import AdrasteaProvisioner

# Short, because the addresses of ipc are paths of at most 107 bytes.
_home = Path(tempfile.mkdtemp(prefix="prv-", dir="/tmp"))
_runtime = _home / "run"


def pytest_configure() -> None:
    for variable in ("JUPYTER_CONFIG_PATH", "JUPYTER_PREFER_ENV_PATH", "XDG_RUNTIME_DIR"):
        os.environ.pop(variable, None)
    os.environ["JUPYTER_PATH"] = str(PREFIX / "share" / "jupyter")
    os.environ["JUPYTER_RUNTIME_DIR"] = str(_runtime)
    os.environ["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "adrastea-provisioner"
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR", "HOME", "XDG_CACHE_HOME"):
        os.environ[name] = str(_home / name)
        (_home / name).mkdir()
    _runtime.mkdir(mode=0o700)
    if not (PREFIX / "share" / "jupyter" / "kernels").is_dir():
        pytest.exit(f"no kernels installed in {PREFIX}: run scripts/run first, or set ADRASTEA_PREFIX", returncode=2)


def pytest_unconfigure() -> None:
    shutil.rmtree(_home, ignore_errors=True)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No process, and no file in the runtime directory, outlives the test that made it."""
    AdrasteaProvisioner._failed.clear()
    # Before there are threads: of two that make the factory at once, one may get it before it knows its default.
    assert KernelProvisionerFactory.instance().default_provisioner_name == "adrastea-provisioner"
    before = set(_runtime.iterdir())
    yield
    settings.clear()
    for manager in managers:
        if manager.has_kernel:  # of a test that failed
            manager.shutdown_kernel(now=True)
    managers.clear()
    # Jupyter's programs keep their cookie secrets there.
    left = [
        path.name for path in set(_runtime.iterdir()) - before if path.name.startswith(("kernel-", "adr-", "new-adr-", "."))
    ]
    assert left == []
    for thread in threading.enumerate():
        if thread.name == "kernel-guard-end":
            thread.join(WAIT_S)
    assert descendants(os.getpid()) == {}


@pytest.fixture
def configure() -> Callable[..., None]:
    """Settings of all provisioners, as a server's configuration has them; for managers made after that."""
    return settings.update


@pytest.fixture
def runtime() -> Path:
    return _runtime
