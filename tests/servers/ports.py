"""Free ports on 127.0.0.1."""

import contextlib
import socket


def free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now; they differ from each other."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in sockets]
