"""A host of a PostgreSQL cluster, made of a port that leads to the one server: it can be a standby, and go away."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from psycopg.conninfo import conninfo_to_dict, make_conninfo

_READS_ONLY = b"options\0-c default_transaction_read_only=on\0"
_HEAD = struct.Struct("!ii")


class Host:
    """One host. ``standby``: sessions that begin now take no writes. ``met`` counts the sessions that began."""

    def __init__(self, server: str) -> None:
        given = conninfo_to_dict(server)
        self._there = str(given.get("host") or "127.0.0.1"), int(given.get("port") or 5432)
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self.standby = False
        self.met = 0

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def begin(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def go_away(self) -> None:
        """End every session, and answer nobody any more."""
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._there[0].startswith("/"):
            server, send = await asyncio.open_unix_connection(f"{self._there[0]}/.s.PGSQL.{self._there[1]}")
        else:
            server, send = await asyncio.open_connection(*self._there)
        ours = {writer, send}
        self._writers |= ours
        self.met += 1
        try:
            # Whoever hangs up in the middle has ended the session, and nobody else has to know.
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                send.write(self._opening(await self._first(reader)))
                await asyncio.gather(_pump(reader, send), _pump(server, writer))
        finally:
            for one in ours:
                one.close()
            self._writers -= ours

    async def _first(self, reader: asyncio.StreamReader) -> tuple[int, bytes]:
        length, protocol = _HEAD.unpack(await reader.readexactly(_HEAD.size))
        return protocol, await reader.readexactly(length - _HEAD.size)

    def _opening(self, first: tuple[int, bytes]) -> bytes:
        protocol, rest = first
        if self.standby:
            rest = _READS_ONLY + rest
        return _HEAD.pack(len(rest) + _HEAD.size, protocol) + rest


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
    sink.close()


@asynccontextmanager
async def cluster(server: str, number: int = 2) -> AsyncIterator[tuple[str, list[Host]]]:
    """The conninfo that names all hosts of a cluster, without a word on which of them is wanted; and the hosts."""
    hosts = [Host(server) for _ in range(number)]
    for host in hosts:
        await host.begin()
    try:
        yield (
            make_conninfo(
                server,
                host=",".join(["127.0.0.1"] * number),
                port=",".join(str(host.port) for host in hosts),
                sslmode="disable",
                gssencmode="disable",
            ),
            hosts,
        )
    finally:
        for host in hosts:
            await host.go_away()
