"""PgBouncer in transaction mode between us and PostgreSQL: an instance of its own on a free port, stopped by pid."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

PROGRAM = "pgbouncer"
_PATIENCE = 20.0
_SETTINGS = """\
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users.txt
pool_mode = transaction
default_pool_size = {size}
max_client_conn = 50
logfile = {folder}/pgbouncer.log
log_connections = 0
log_disconnections = 0
"""


def program() -> str | None:
    """Where PgBouncer is; the superuser's folders too, which are not in every path."""
    return shutil.which(PROGRAM, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def why_no_pooler() -> str | None:
    """Why PgBouncer cannot be used, in a sentence; None where it can."""
    return None if program() else "PgBouncer is not installed (Debian's package is pgbouncer)"


@contextmanager
def pooler(server: str, *, size: int = 1) -> Iterator[str]:
    """The conninfo of the database of ``server`` through a pooler with so many connections to it."""
    given = conninfo_to_dict(server)
    port = _free_port()
    with TemporaryDirectory(prefix="quash-pooler-") as name:
        folder = Path(name)
        log = folder / "pgbouncer.log"
        _write(folder / "pgbouncer.ini", _SETTINGS.format(server=_target(given), port=port, folder=folder, size=size))
        _write(folder / "users.txt", f'"{given.get("user", "postgres")}" "{given.get("password", "")}"\n')
        # It refuses to be root.
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if user is not None:
            for path in (folder, *folder.iterdir()):
                os.chown(path, user.pw_uid, user.pw_gid)
        running = subprocess.Popen(
            [str(program()), str(folder / "pgbouncer.ini")],
            user=None if user is None else user.pw_uid,
            group=None if user is None else user.pw_gid,
            extra_groups=None if user is None else [],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        here = make_conninfo(server, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable")
        try:
            _until_it_answers(here, running, log)
            yield here
        finally:
            running.terminate()
            running.wait(timeout=_PATIENCE)


def _target(given: dict[str, object]) -> str:
    names = ("host", "port", "user", "password")
    return " ".join(f"{name}={given[name]}" for name in names if given.get(name) is not None)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_it_answers(here: str, running: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while True:
        try:
            psycopg.connect(here, connect_timeout=3).close()
            return
        except psycopg.OperationalError as error:
            if running.poll() is not None or time.monotonic() > deadline:
                told = log.read_text(encoding="utf-8") if log.exists() else ""
                raise AssertionError(f"PgBouncer does not answer: {error}\n{told}") from error
