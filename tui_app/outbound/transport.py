"""TCP to one origin and nowhere else: certificates are verified, and proxies are not looked for."""

from __future__ import annotations

import ssl
from pathlib import Path

import httpx

from tui_app.config.places import expanded
from tui_app.domain.errors import UsageProblem
from tui_app.outbound.addresses import Origin, base_url

KEEP_SECONDS = 4.0
"""How long an idle connection is kept: servers close theirs after 5 s and more, and must not do it as we send."""


class _OneOrigin(httpx.AsyncBaseTransport):
    """Refuses every address but one, so that a token reaches nobody else, whatever an answer or a bug says.

    A connection on which a server said more than it was asked is given up: the rest would be taken for the answer to
    the next request, and httpx does not look.
    """

    def __init__(self, origin: Origin, inner: httpx.AsyncHTTPTransport) -> None:
        self._origin = origin
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if Origin.of(request.url) != self._origin:
            raise httpx.UnsupportedProtocol(f"{request.url.host} is not {self._origin}")
        for connection in self._inner._pool.connections:
            if connection.is_idle() and _said_more(connection):
                await connection.aclose()
        return await self._inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self._inner.aclose()


def _said_more(connection: object) -> bool:
    """Whether something was read beyond the last answer; where that can't be seen, it is taken to be so."""
    state = getattr(getattr(connection, "_connection", None), "_h11_state", None)
    return state is None or bool(state.trailing_data[0])


class Door:
    """Makes transports to one service. They share what is trusted, which is read with the first of them.

    ``ca_file`` holds certificates that are trusted beside the system's.

    Raises:
        UsageProblem: plain http to another host, or no address of a service.
    """

    def __init__(self, url: str, ca_file: str | Path | None = None) -> None:
        self.base = base_url(url)
        self.origin = Origin.of(self.base)
        self._ca_file = ca_file
        self._trusted: ssl.SSLContext | None = None

    def transport(self, connections: int) -> httpx.AsyncBaseTransport:
        """A transport of so many connections at most.

        Raises:
            UsageProblem: ``ca_file`` holds no certificates.
        """
        if self._trusted is None:
            self._trusted = self._trust()
        limits = httpx.Limits(
            max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=KEEP_SECONDS
        )
        inner = httpx.AsyncHTTPTransport(verify=self._trusted, limits=limits, trust_env=False, retries=0)
        return _OneOrigin(self.origin, inner)

    def _trust(self) -> ssl.SSLContext:
        if self.origin.scheme == "http":
            # Loading the system's certificates takes longer than everything else here.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return trust(self._ca_file)


def trust(ca_file: str | Path | None = None) -> ssl.SSLContext:
    """What a connection trusts: the system's certificates, and those of a file beside them.

    It is what the standard library makes by default since Python 3.13, but for one thing: ``SSLKEYLOGFILE`` in the
    environment does not get the keys of the connections, with which everybody who reads that file reads the tokens.

    Raises:
        UsageProblem: ``ca_file`` holds no certificates.
    """
    trusted = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusted.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    trusted.load_default_certs()
    if ca_file is None:
        return trusted
    path = expanded(ca_file)
    try:
        trusted.load_verify_locations(path)
    except (OSError, ssl.SSLError) as error:
        raise UsageProblem(
            f"{path} holds no certificates: {error}", hint="ca_file names a file in PEM form."
        ) from error
    return trusted


def tcp_transport(url: str, *, ca_file: str | Path | None = None, connections: int = 20) -> httpx.AsyncBaseTransport:
    """A transport to one service and nowhere else.

    Raises:
        UsageProblem: plain http to another host, no address of a service, or a ``ca_file`` that holds none.
    """
    return Door(url, ca_file).transport(connections)
