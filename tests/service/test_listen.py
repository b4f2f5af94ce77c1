"""`quash serve`: a process of its own, on a real socket."""

import asyncio
import re
import signal
import socket
import stat
import sys
from pathlib import Path

import pytest

from tui_app.client.backend import BackendClient
from tui_app.client.transport import tcp_transport
from tui_app.contract.plans import PlanRequest, SelectionModel
from tui_app.domain.errors import CannotConnect, NotSignedIn
from tui_app.service.listen import bind


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def start(*words):
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tui_app", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


@pytest.fixture
async def served():
    """A served profile: its process, its address, and the file with the local token."""
    process = await start("serve", "--port", str(free_port()))
    said = b"".join([await process.stderr.readline() for _ in range(2)]).decode()
    address = re.search(r"http://\S+?(?=/v1)", said)
    place = re.search(r"/\S+service\.token", said)
    if address is None or place is None:
        said += (await process.communicate())[1].decode()
        pytest.fail(said)
    yield process, address[0], Path(place[0])
    if process.returncode is None:
        process.kill()
    await process.communicate()


async def test_it_answers_whoever_has_the_local_token(served):
    _, url, place = served
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    client = BackendClient(url, tcp_transport(url), token=place.read_text().strip())
    assert (await client.about()).systems[0].system == "commands"
    selection = SelectionModel(system="commands", ids=["payments/none"])
    assert (await client.plan(PlanRequest(selections=[selection]))).counts.blocked == 1
    await client.close()
    stranger = BackendClient(url, tcp_transport(url))
    with pytest.raises(NotSignedIn):
        await stranger.about()
    await stranger.close()


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
async def test_it_ends_by_a_signal_and_answers_no_more(served, sent):
    process, url, _ = served
    process.send_signal(sent)
    _, said = await asyncio.wait_for(process.communicate(), 30)
    assert b"Traceback" not in said
    client = BackendClient(url, tcp_transport(url))
    with pytest.raises(CannotConnect, match="does not answer"):
        await client.about()
    await client.close()


async def test_a_port_that_is_taken_is_told(served):
    _, url, _ = served
    process = await start("serve", "--port", url.rpartition(":")[2])
    _, said = await process.communicate()
    assert process.returncode == 3
    assert b"cannot be listened on" in said
    assert b"Traceback" not in said


def test_an_address_of_elsewhere_cannot_be_bound():
    with pytest.raises(CannotConnect, match=r"192\.0\.2\.1"):
        bind("192.0.2.1", 0)
    with pytest.raises(CannotConnect, match="no address"):
        bind("not a host", 0)
