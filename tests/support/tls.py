"""TLS in front of a service that has none, as a proxy on its host provides it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import trustme


@contextmanager
def terminated(url: str, certificate: trustme.LeafCert) -> Iterator[str]:
    """The address of a proxy with TLS before ``url``, in a thread of its own."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    behind = urlsplit(url)

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to_there = await asyncio.open_connection(behind.hostname, behind.port)
        await asyncio.gather(pour(reader, to_there), pour(there, writer))

    async def pour(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while piece := await source.read(65536):
                target.write(piece)
                await target.drain()
        target.close()

    started, port = threading.Event(), 0
    loop = asyncio.new_event_loop()
    stopped = asyncio.Event()

    async def work() -> None:
        nonlocal port
        server = await asyncio.start_server(meet, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        started.set()
        await stopped.wait()
        server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    thread = threading.Thread(target=loop.run_until_complete, args=(work(),))
    thread.start()
    started.wait(10)
    try:
        yield f"https://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(10)
        loop.close()
