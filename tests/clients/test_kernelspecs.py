# SPDX-License-Identifier: BSD-3-Clause
"""The kernelspecs as Jupyter's own command sees them, and install and uninstall."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from support import PREFIX, kernel, run

PNG = b"\x89PNG\r\n\x1a\n"


def kernelspecs(**environment):
    """What `jupyter kernelspec list` says."""
    listed = subprocess.run([sys.executable, "-m", "jupyter_client.kernelspecapp", "list", "--json"], check=True,
                            capture_output=True, env=dict(os.environ, **environment))
    return json.loads(listed.stdout)["kernelspecs"]


def command(kernel_name, *words, status=0):
    done = subprocess.run([PREFIX / "bin" / f"adrastea-{kernel_name}", *words], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    return done


def test_jupyter_lists_the_installed_kernels(kernel_name):
    found = kernelspecs()[kernel_name]
    folder = Path(found["resource_dir"])
    assert folder == PREFIX / "share" / "jupyter" / "kernels" / kernel_name
    spec = found["spec"]
    assert Path(spec["argv"][0]).is_file() and "{connection_file}" in spec["argv"]
    assert spec["language"] == kernel_name
    assert spec["interrupt_mode"] in ("signal", "message")
    assert isinstance(spec["metadata"], dict)
    raw = json.loads((folder / "kernel.json").read_text(encoding="utf-8"))
    assert raw["kernel_protocol_version"].startswith("5.")
    for size in (32, 64):
        assert (folder / f"logo-{size}x{size}.png").read_bytes().startswith(PNG)
    assert "<svg" in (folder / "logo-svg.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["prefix", "user"])
def test_install_and_uninstall(kernel_name, place, tmp_path):
    if place == "prefix":
        words, data = ["--prefix", str(tmp_path)], tmp_path / "share" / "jupyter"
    else:
        words, data = ["--user"], Path(os.environ["JUPYTER_DATA_DIR"])
    words += ["--name", "another-one"]
    command(kernel_name, "install", *words, "--display-name", "Another one")
    spec = kernelspecs(JUPYTER_PATH=str(data))["another-one"]
    assert Path(spec["resource_dir"]) == data / "kernels" / "another-one"
    assert spec["spec"]["display_name"] == "Another one"
    with kernel("another-one", kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(data / "kernels")])) as (_, client):
        assert "hello" in run(client, "print('hello')").text()

    neighbour = data / "kernels" / "neighbour" / "kernel.json"
    neighbour.parent.mkdir()
    neighbour.write_text("{}", encoding="utf-8")
    command(kernel_name, "uninstall", *words)
    assert "another-one" not in kernelspecs(JUPYTER_PATH=str(data))
    assert not (data / "kernels" / "another-one").exists()
    assert neighbour.is_file()
    neighbour.unlink()
    neighbour.parent.rmdir()


def test_uninstall_of_nothing_says_so(kernel_name, tmp_path):
    done = command(kernel_name, "uninstall", "--prefix", str(tmp_path), "--name", "not-there", status=1)
    assert "not-there" in done.stderr
    assert len(done.stderr.splitlines()) == 1
