"""The address of the page: whether it is free."""

from __future__ import annotations

import errno
import os
import socket

LOOPBACK = "127.0.0.1"
REASONS = {
    errno.EADDRINUSE: "port={port} is taken: another program, perhaps another fgsd app, listens on it",
    errno.EACCES: "port={port} needs the permission of an administrator",
    errno.EADDRNOTAVAIL: "host={host} is no address of this machine",
}


class AddressError(OSError):
    """The page cannot listen on an address; the message names the argument."""


def check_address(host: str, port: int | None) -> None:
    """Raise `AddressError` unless the page can listen on an address.

    Parameters
    ----------
    host : str
        Name or address of this machine, an IPv6 address also in brackets.
    port : int or None
        With None or 0 a free one is taken later.
    """
    try:
        # Gradio tries the port on the loopback address whatever the host is
        for name in (LOOPBACK, host.removeprefix("[").removesuffix("]")):
            [family, kind, protocol, _, address] = socket.getaddrinfo(
                name, port or 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            with socket.socket(family, kind, protocol) as trial:
                if os.name == "posix":  # connections that have just ended do not count, as for the server
                    trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except socket.gaierror:
        raise AddressError(errno.EADDRNOTAVAIL, f"host={host!r} is no name of this machine") from None
    except OSError as error:
        reason = REASONS.get(error.errno or 0, f"host={{host}} and port={{port}}: {error.strerror}")
        raise AddressError(error.errno, reason.format(port=port, host=repr(host))) from None
