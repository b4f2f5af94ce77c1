"""Is there a PostgreSQL, an AMQP broker? Asked by speaking to it, since an open port may be anything."""

import os
import socket
from urllib.parse import urlsplit

POSTGRES = os.environ.get("QUASH_TEST_POSTGRES") or "postgresql://postgres@127.0.0.1:5432/postgres"
AMQP = os.environ.get("QUASH_TEST_AMQP") or "amqp://guest:guest@127.0.0.1:5672/"
REQUIRED = os.environ.get("QUASH_REQUIRE_SERVICES") == "1"

_PATIENCE = 3
_AMQP_GREETING = b"AMQP\x00\x00\x09\x01"
_METHOD_FRAME = b"\x01"


def why_no_postgres(conninfo: str) -> str | None:
    """Why PostgreSQL cannot be used, in a sentence; None where it can."""
    import psycopg  # here, since most tests never need it

    try:
        with psycopg.connect(conninfo, connect_timeout=_PATIENCE) as connection:
            encoding = connection.info.encoding
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        return f"PostgreSQL does not answer (QUASH_TEST_POSTGRES names it): {_first_line(error)}"
    if encoding != "utf-8":
        return f"PostgreSQL speaks {encoding}, and the tests need UTF-8"
    return None


def why_no_amqp(url: str) -> str | None:
    """Why the broker cannot be used, in a sentence; None where it can."""
    parts = urlsplit(url)
    place = (parts.hostname or "127.0.0.1", parts.port or 5672)
    try:
        with socket.create_connection(place, timeout=_PATIENCE) as connection:
            connection.sendall(_AMQP_GREETING)
            answer = connection.recv(1)
    except OSError as error:
        return f"no AMQP broker answers (QUASH_TEST_AMQP names it): {_first_line(error)}"
    if answer != _METHOD_FRAME:
        return f"what listens on {place[0]}:{place[1]} does not speak AMQP 0-9-1"
    return None


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
