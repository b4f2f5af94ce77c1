"""Whom a connection trusts: the system's authorities and the one that is named, for the host that was asked."""

import ssl
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from support.raw_server import Answered, raw_server
from tui_app.domain.errors import CannotConnect, UsageProblem
from tui_app.outbound.http import HttpService
from tui_app.outbound.tokens import TokenSource
from tui_app.outbound.transport import trust


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


@pytest.fixture
def trusted(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def showing(certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(context)
    return context


async def ask(server, ca_file, *, host="127.0.0.1"):
    url = server.url.replace("127.0.0.1", host)
    http = HttpService(url, tokens=TokenSource.given("sesame"), ca_file=ca_file, patience=5.0)
    try:
        return await http.write("cancel", json={})
    finally:
        await http.close()


def good(_):
    return Answered(200, {"done": True})


async def test_the_authority_that_is_named_is_trusted_beside_the_systems(authority, trusted):
    async with raw_server(good, tls=showing(authority.issue_cert("127.0.0.1", "localhost"))) as server:
        assert (await ask(server, trusted)).json == {"done": True}
        assert (await ask(server, trusted, host="localhost")).json == {"done": True}


async def test_naming_one_takes_none_away(trusted):
    http = HttpService("https://cases.example.com", ca_file=trusted)
    http._door.transport(1)
    assert http._door._trusted.cert_store_stats()["x509_ca"] > 1
    assert http._door._trusted.verify_mode is ssl.CERT_REQUIRED
    assert http._door._trusted.check_hostname


YEAR = timedelta(days=365)
WRONG = {
    "nobody named": lambda authority, trusted: (authority.issue_cert("127.0.0.1"), None),
    "another authority": lambda authority, trusted: (trustme.CA().issue_cert("127.0.0.1"), trusted),
    "another host": lambda authority, trusted: (authority.issue_cert("cases.example.com"), trusted),
    "a part of the host": lambda authority, trusted: (authority.issue_cert("127.0.0.10"), trusted),
    "expired": lambda authority, trusted: (
        authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) - timedelta(days=1)),
        trusted,
    ),
    "not yet": lambda authority, trusted: (
        authority.issue_cert("127.0.0.1", not_before=datetime.now(UTC) + YEAR, not_after=datetime.now(UTC) + 2 * YEAR),
        trusted,
    ),
}


@pytest.mark.parametrize("made", WRONG.values(), ids=WRONG)
async def test_nothing_is_sent_to_anybody_else(authority, trusted, made):
    certificate, named = made(authority, trusted)
    async with raw_server(good, tls=showing(certificate)) as server:
        with pytest.raises(CannotConnect, match="certificate") as caught:
            await ask(server, named)
        assert "`ca_file` of the profile" in caught.value.hint
        assert server.log == []


async def test_a_server_without_tls_is_told_nothing(trusted):
    async with raw_server(good) as server:
        server_url = server.url.replace("http://", "https://")
        http = HttpService(server_url, tokens=TokenSource.given("sesame"), ca_file=trusted, connect=1.0)
        with pytest.raises(CannotConnect):
            await http.write("cancel", json={})
        assert server.log == []
        await http.close()


@pytest.mark.parametrize("content", [None, "nothing"])
async def test_a_file_without_certificates_is_said_to_be_none(tmp_path, content):
    path = tmp_path / "none.pem"
    if content is not None:
        path.write_text(content)
    http = HttpService("https://127.0.0.1:1", ca_file=path)
    with pytest.raises(UsageProblem, match=r"none\.pem"):
        await http.read("x")


async def test_the_keys_of_a_connection_are_left_to_nobody_whatever_the_environment_says(
    authority, trusted, tmp_path, monkeypatch
):
    left = tmp_path / "keys.log"
    server_side = showing(authority.issue_cert("127.0.0.1"))
    monkeypatch.setenv("SSLKEYLOGFILE", str(left))
    async with raw_server(good, tls=server_side) as server:
        assert (await ask(server, trusted)).ok
    assert not left.exists()


def test_what_the_standard_library_holds_for_safe_is_kept():
    ours, theirs = trust(), ssl.create_default_context()
    assert ours.verify_flags & theirs.verify_flags == theirs.verify_flags
    assert (ours.verify_mode, ours.check_hostname) == (theirs.verify_mode, theirs.check_hostname)
    assert ours.minimum_version == theirs.minimum_version
    assert ours.options & theirs.options == theirs.options


def test_the_environment_may_name_other_certificates_in_place_of_the_systems(trusted, tmp_path, monkeypatch):
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    assert trust().cert_store_stats()["x509_ca"] == 1
