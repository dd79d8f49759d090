"""TCP proxies between a worker and what it talks to, which can be cut and healed one by one."""

import asyncio
import contextlib
from collections.abc import Coroutine
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

T = TypeVar("T")

_CHUNK = 65_536


class Proxy:
    """Forwards connections of `port` to `target_port`, both on 127.0.0.1."""

    def __init__(self, proxies: "Proxies", target_port: int) -> None:
        self._proxies = proxies
        self._target_port = target_port
        self._writers: set[asyncio.StreamWriter] = set()
        self._flows = asyncio.Event()
        self._refuses = False
        self._server: asyncio.Server | None = None
        self.port = 0

    def cut(self, *, silent: bool) -> None:
        """Reset every connection and refuse new ones; when `silent`, let nothing through and say nothing."""
        self._proxies.do(self._cut(silent))

    def heal(self) -> None:
        """Forward again. What was held back is dropped with its connection: nothing arrives late."""
        self._proxies.do(self._heal())

    async def open(self) -> Self:
        """Begin to listen; called in the proxies' loop."""
        self._flows.set()
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def close(self) -> None:
        """Stop to listen and reset every connection; called in the proxies' loop."""
        assert self._server is not None
        self._server.close()
        await self._cut(silent=False)

    async def _cut(self, silent: bool) -> None:
        if silent:
            self._flows.clear()
        else:
            self._refuses = True
            self._reset()

    async def _heal(self) -> None:
        if not self._flows.is_set():
            self._reset()
        self._flows.set()
        self._refuses = False

    def _reset(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        with contextlib.suppress(OSError):
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            both = {writer, there_writer}
            self._writers |= both
            try:
                await asyncio.gather(self._pump(reader, there_writer), self._pump(there_reader, writer))
            finally:
                self._writers -= both
                there_writer.transport.abort()
        writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_CHUNK):
                await self._flows.wait()
                if writer.transport.is_closing():
                    return
                writer.write(data)
                await writer.drain()
        writer.close()


class Proxies:
    """Runs every proxy in one thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxies", daemon=True)
        self._open: list[Proxy] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.do(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self, target_port: int) -> Proxy:
        """Open a proxy to a port of this machine, where nobody needs to listen yet."""
        proxy = self.do(Proxy(self, target_port).open())
        self._open.append(proxy)
        return proxy

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the proxies' thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _close(self) -> None:
        for proxy in self._open:
            await proxy.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
