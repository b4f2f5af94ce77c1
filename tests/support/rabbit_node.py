"""A RabbitMQ of a test's own, which may be killed: another node beside the one that everybody uses."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from support.services import why_no_amqp

_SERVERS = ("/usr/lib/rabbitmq/bin/rabbitmq-server", "/opt/rabbitmq/sbin/rabbitmq-server")
_PATIENCE = 60


def server_program() -> str | None:
    """The program that starts a node as whoever we are; none where RabbitMQ is not installed on this host."""
    return next((name for name in _SERVERS if os.access(name, os.X_OK)), shutil.which("rabbitmq-server"))


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class Node:
    """One node with a folder of its own, which outlives its process."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program, self._folder = program, folder
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        conf = folder / "rabbitmq.conf"
        conf.write_text(f"listeners.tcp.local = 127.0.0.1:{self._port}\n", encoding="utf-8")
        (folder / "plugins").write_text("[].\n", encoding="utf-8")
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": f"quash_{secrets.token_hex(6)}@localhost",
            "RABBITMQ_DIST_PORT": str(_free_port()),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": str(conf),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Start it, and return when it answers."""
        with (self._folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [self._program],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        for _ in range(_PATIENCE * 10):
            if (why := why_no_amqp(self.url)) is None:
                return
            with suppress(subprocess.TimeoutExpired):
                code = self._process.wait(0.1)
                raise AssertionError(f"the node ended with {code}: see {self._folder / 'output'}")
        raise AssertionError(why)

    def kill(self) -> None:
        """End it at once, as a crash of its host does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(_PATIENCE)
            self._process = None


@contextmanager
def own_node(program: str, folder: Path) -> Iterator[Node]:
    """A node that answers; ended with whatever it holds."""
    node = Node(program, folder)
    try:
        node.start()
        yield node
    finally:
        node.kill()
