# SPDX-License-Identifier: BSD-3-Clause
"""Ports that a launcher chooses and nobody else gets before the kernel has bound them, nor while it restarts."""

import errno
import socket
from collections.abc import Mapping
from contextlib import suppress


class HeldPorts:
    """Five sockets that are bound and never listen.

    On Linux a socket with SO_REUSEADDR, which libzmq sets, may bind a port that another such socket has bound, as long as that
    one does not listen; the system gives the port to nobody who asks for any port. So the kernel gets it and others do not.

    Errors: OSError from the constructor when a port is taken. Lifetime: close() it when the kernel will not start again.
    """

    def __init__(self, ip: str, wanted: Mapping[str, int]) -> None:
        self._sockets: dict[str, socket.socket] = {}
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        try:
            for name, port in sorted(wanted.items(), key=lambda item: -item[1]):  # the chosen ones before those left to us
                held = self._sockets[name] = socket.socket(family)
                held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                held.bind((ip, port))
        except OSError as error:
            self.close()
            remedy = "; choose another one, or 0 for any" if port and error.errno == errno.EADDRINUSE else ""
            raise OSError(error.errno, f"{name}{f' {port}' if port else ''} cannot be had on {ip}: {error.strerror}{remedy}") from error
        self.ports = {name: int(self._sockets[name].getsockname()[1]) for name in wanted}

    def listened_on(self) -> str | None:
        """One of them on which somebody listens. For when the kernel is not there yet."""
        for name, held in self._sockets.items():
            with socket.socket(held.family) as probe, suppress(OSError):
                probe.connect(held.getsockname())
                return f"{name} {self.ports[name]}"
        return None

    def taken(self) -> list[str]:
        """Those on which somebody listens. For when the kernel is not there; afterwards these are good for close() only."""
        names = []
        for name, held in self._sockets.items():
            try:
                held.listen()
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    names.append(name)
        return names

    def close(self) -> None:
        for held in self._sockets.values():
            held.close()
