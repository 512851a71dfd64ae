"""Restricts a process to this machine: other connections fail."""

import socket
from ipaddress import ip_address
from typing import Any

_LOOPBACK = ("127.", "::1", "localhost")


def _bindable(host: str) -> bool:
    """True if an address is one of this machine's own, which Ray uses internally."""
    try:
        family = socket.AF_INET6 if ip_address(host).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((host, 0))
    except (ValueError, OSError):  # a name, or somebody else's
        return False
    return True


def guard(patch: Any = setattr) -> None:
    """Guard the sockets of this process; `patch` sets an attribute, for good or for a while."""
    connect, connect_ex, look_up = (
        socket.socket.connect,
        socket.socket.connect_ex,
        socket.getaddrinfo,
    )

    def local(host: object) -> bool:
        name = str(host or "localhost")
        return name.startswith((*_LOOPBACK, socket.gethostname())) or _bindable(name)

    def guarded(method: Any) -> Any:
        def reach(self: socket.socket, address: object) -> Any:
            if isinstance(address, tuple) and not local(address[0]):  # Unix sockets have no tuple
                raise RuntimeError(f"a test tried to reach the network: {address}")
            return method(self, address)

        return reach

    def guarded_look_up(host: object, *args: Any, **kwargs: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if not local(name):
            raise RuntimeError(f"a test tried to look up {name!r}")
        return look_up(host, *args, **kwargs)

    patch(socket.socket, "connect", guarded(connect))
    patch(socket.socket, "connect_ex", guarded(connect_ex))
    patch(socket, "getaddrinfo", guarded_look_up)
