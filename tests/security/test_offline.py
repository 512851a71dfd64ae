"""Tests reach no network, and neither do the processes that they start."""

import socket
import subprocess
import sys

import pytest

ELSEWHERE = ("198.51.100.1", 80)  # an address for documentation: nobody has it
TRIES = {
    "connect": f"socket.create_connection({ELSEWHERE})",
    "connect_ex": f"socket.socket().connect_ex({ELSEWHERE})",
    "a name": "socket.create_connection(('example.org', 80))",
    "a URL": "urllib.request.urlopen('http://example.org')",
    "requests": "__import__('requests').get('http://example.org')",
}


@pytest.mark.parametrize("what", TRIES)
def test_nothing_reaches_the_network(what: str) -> None:
    code = f"import socket, urllib.request; {TRIES[what]}"
    with pytest.raises(RuntimeError, match="a test tried to"):
        exec(code, {})
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert "RuntimeError: a test tried to" in done.stderr


def test_this_machine_can_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        for host in ("127.0.0.1", "localhost"):
            socket.create_connection((host, server.getsockname()[1])).close()
