"""A receiver that only frames HTTP/1.1 and answers `{}`: `python -m tests.bench.http_receiver` prints its address."""

import asyncio
import subprocess
import sys

import uvloop

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 3\r\n\r\n{}\n"
_END = b"\r\n\r\n"


class Receiver(asyncio.Protocol):
    """Counts bytes until the request is whole; reads nothing of it."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._head = b""
        self._missing = -1

    def data_received(self, data: bytes) -> None:
        while data:
            if self._missing < 0:
                self._head += data
                end = self._head.find(_END)
                if end < 0:
                    return
                data = self._head[end + 4 :]
                self._missing = _content_length(self._head[:end])
                self._head = b""
            taken = min(len(data), self._missing)
            self._missing -= taken
            data = data[taken:]
            if self._missing == 0:
                self._missing = -1
                self._transport.write(_ANSWER)


def _content_length(head: bytes) -> int:
    _, _, after = head.lower().partition(b"content-length:")
    return int(after.split(b"\r\n", 1)[0])


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(Receiver, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await server.serve_forever()


def start_receiver() -> tuple[subprocess.Popen[str], str]:
    """Start it in a process of its own; return the process and the address of the batch endpoint."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.http_receiver"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, process.stdout.readline().strip() + "/api/v2/batch"


if __name__ == "__main__":
    uvloop.run(_serve())
