# SPDX-License-Identifier: BSD-3-Clause
"""Kernels as a Jupyter server has them: jupyter_client starts them through the provisioner, whose package it has to find."""

import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from adrastea_provisioner import AdrasteaProvisioner, KernelNotStarted
from jupyter_client import KernelManager
from jupyter_client.provisioning import KernelProvisionerFactory
from kernels import Kernel
from traitlets.config import Config


class Through:
    """One kernel. Over tcp only, where ports can be stolen at all; or over what the provisioner chooses."""

    def __init__(self, name: str, directory: Path, transport: str):
        identity = str(uuid.uuid4())
        config = Config({"AdrasteaProvisioner": {"transport": transport}})
        self.manager = KernelManager(kernel_name=name, config=config, connection_file=str(directory / f"kernel-{identity}.json"))
        self.kernel = Kernel(directory / f"kernel-{identity}.json", directory.parent / "logs" / f"{identity}.log", {})
        self.fault = ""

    def run(self) -> None:
        """It has answered when start_kernel() returns; a client asks it once more, as a notebook does."""
        client = None
        self.kernel.spawned = time.monotonic()
        with open(self.kernel.log, "wb") as log:
            try:
                self.manager.start_kernel(stdout=log, stderr=log)
                assert isinstance(self.manager.provisioner, AdrasteaProvisioner)
                self.kernel.process = self.manager.provisioner.process
                client = self.manager.blocking_client()
                client.start_channels()
                client.wait_for_ready(timeout=60)
                self.kernel.answered_s = time.monotonic() - self.kernel.spawned
            except (KernelNotStarted, RuntimeError) as error:
                self.kernel.ended_s, self.fault = time.monotonic() - self.kernel.spawned, str(error)
            finally:
                if client is not None:
                    client.stop_channels()

    def end(self) -> None:
        self.manager.shutdown_kernel()


def start_all(name: str, directory: Path, transport: str, count: int) -> list[Through]:
    """All at once, each from a thread of its own; they run when this returns."""
    # Before there are threads: of two that make it at once, one may have got a factory that knows no name yet.
    KernelProvisionerFactory.instance().default_provisioner_name = "adrastea-provisioner"
    kernels = [Through(name, directory, transport) for _ in range(count)]
    with ThreadPoolExecutor(count) as pool:
        list(pool.map(Through.run, kernels))
    return kernels


def end_all(kernels: list[Through]) -> None:
    with ThreadPoolExecutor(len(kernels)) as pool:
        list(pool.map(Through.end, kernels))
