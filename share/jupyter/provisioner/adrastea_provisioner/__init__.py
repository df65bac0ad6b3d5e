# SPDX-License-Identifier: BSD-3-Clause
"""A kernel provisioner for jupyter_client that starts any kernel without a race for its ports."""

from .errors import KernelNotStarted
from .provisioner import AdrasteaProvisioner

__all__ = ["AdrasteaProvisioner", "KernelNotStarted"]
