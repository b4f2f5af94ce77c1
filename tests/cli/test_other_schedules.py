"""Schedules of a service that keeps no reasons and has no audit, from the command line to its own rows."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from support.command_line import Quash
from support.raw_server import Answered, Asked, threaded_server
from support.schedule_servers import SECRET, LuxarisPosts
from tui_app.cli.exits import Exit

GIVEN = ("--reason", "campaign postponed", "--yes", "--output", "json")


class Coercing(LuxarisPosts):
    """Reads an id as a number: 01 is 1."""

    def _handle(self, asked: Asked) -> Answered:
        *front, last = asked.path.split("/")
        return super()._handle(replace(asked, path="/".join([*front, str(int(last))])) if last.isdecimal() else asked)


@pytest.fixture
def posts(config: Callable[[str], None], monkeypatch: pytest.MonkeyPatch) -> Iterator[LuxarisPosts]:
    monkeypatch.setenv("QUASH_SCHEDULES_TOKEN", SECRET)
    posts = Coercing()
    with threaded_server(posts.handle) as server:
        config(f"[profiles.posts.schedules]\nurl = '{server.url}'\nauth = 'x-session-id'\n")
        yield posts


def test_a_run_that_cancels_all_is_verified_and_ends_with_zero(quash: Quash, posts: LuxarisPosts) -> None:
    ids = [posts.add() for _ in range(40)]
    found = quash("cancel", "schedules", *ids, *GIVEN, "--expect-count", 40)
    run = found.json["run"]
    assert found.code == Exit.DONE
    assert run["counts"]["cancelled"] == 40
    assert run["verified"] == {"yes": 40, "contradicted": 0, "undone": 0, "not_known": 0, "pending": 0}
    assert sorted(item for item, _ in posts.effects) == sorted(ids)
    assert quash("runs", "verify", run["id"], "--output", "json").code == Exit.DONE


def test_an_id_that_the_service_reads_as_another_is_blocked_by_name_and_the_others_go(
    quash: Quash, posts: LuxarisPosts
) -> None:
    first, second = posts.add(), posts.add()
    found = quash("cancel", "schedules", f"0{first}", second, *GIVEN, "--expect-count", 2)
    run = found.json["run"]
    assert (found.code, run["counts"]["cancelled"], run["counts"]["skipped"]) == (Exit.PARTLY, 1, 1)
    assert [item for item, _ in posts.effects] == [second]
    [odd] = quash("ledger", "--run", run["id"], "--event", "skipped", "--output", "jsonl").lines
    assert (odd["item"], odd["code"]) == (f"0{first}", "NOT_KNOWN")
    assert f"asked for schedule 0{first}" in str(odd)
    shown = quash("show", "schedules", f"0{first}", "--output", "json")
    assert (shown.code, shown.error["code"]) == (Exit.PARTLY, "NOT_FOUND")
    assert f"told of schedule {first}" in shown.error["message"]


def test_an_apply_says_which_field_of_a_schedule_moved(quash: Quash, posts: LuxarisPosts) -> None:
    item = posts.add()
    plan = quash("plan", "schedules", item, "--output", "json").json["plan"]["id"]
    posts.change(item, attempt_count=3)
    found = quash("apply", plan, *GIVEN, "--expect-count", 1)
    assert found.code == Exit.STALE
    assert "attempts was 0 and is 3" in found.err


@pytest.mark.parametrize("wanted", ["sale", "!sale", '"big sale" status:pending'])
def test_free_text_is_refused_where_the_server_lists_nothing_to_look_into(
    quash: Quash, posts: LuxarisPosts, wanted: str
) -> None:
    """It would match nothing whatever the contents say, and its negation everything."""
    posts.add()
    listed = quash("list", "schedules", "--filter", wanted, "--output", "json")
    assert (listed.code, listed.error["code"]) == (Exit.USAGE, "MALFORMED_FILTER")
    assert "no free text here: this service lists no content" in listed.error["message"]
    assert "post_variant" in listed.error["hint"]
    assert quash("plan", "schedules", "--filter", wanted, "--output", "json").code != Exit.DONE
    assert posts.effects == []


@pytest.mark.parametrize("wanted", ["content:sale", "!content:sale", "reason:x", "cancelled>2026-01-01"])
def test_a_filter_by_what_the_server_does_not_tell_is_refused(quash: Quash, posts: LuxarisPosts, wanted: str) -> None:
    """It would match nothing, and its negation everything: all of them would be planned."""
    posts.add()
    listed = quash("list", "schedules", "--filter", wanted, "--output", "json")
    assert (listed.code, listed.error["code"]) == (Exit.USAGE, "MALFORMED_FILTER")
    planned = quash("plan", "schedules", "--filter", wanted, "--output", "json")
    assert planned.code != Exit.DONE
    for found in (listed, planned):
        assert f"there is no filter by {wanted.strip('!')[:6]}" in found.error["message"].replace("'", "")
        assert "here: this service" in found.error["message"]
    assert quash("list", "schedules", "--filter", "post_variant:31", "--output", "json").code == Exit.DONE
    assert posts.effects == []


def test_a_token_in_the_wrong_header_is_told_with_the_setting_that_names_the_right_one(
    quash: Quash, posts: LuxarisPosts, config: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    with threaded_server(posts.handle) as server:
        config(f"[profiles.posts.schedules]\nurl = '{server.url}'\n")
        found = quash("list", "schedules", "--output", "json")
        assert "No session ID provided" in found.error["message"]
        assert "It was sent as Authorization" in found.error["hint"]
        assert 'For X-Session-ID write `auth = "x-session-id"` beside its url' in found.error["hint"]
        # A session that is over is another matter.
        monkeypatch.setenv("QUASH_SCHEDULES_TOKEN", "another-session")
        config(f"[profiles.posts.schedules]\nurl = '{server.url}'\nauth = 'x-session-id'\n")
        over = quash("list", "schedules", "--output", "json").error
        assert "Invalid or expired session" in over["message"]
        assert "auth = " not in over["hint"]
        assert over["hint"].startswith("Renew what QUASH_SCHEDULES_TOKEN gives")


def test_where_the_server_has_no_audit_show_says_so(quash: Quash, posts: LuxarisPosts) -> None:
    item = posts.add()
    told = quash("show", "schedules", item).out
    assert "not known: this server has no audit endpoint" in told
    assert "no entries" not in told
    found = quash("show", "schedules", item, "--output", "json").json
    assert (found["trail"], found["trail_not_known"]) == ([], "this server has no audit endpoint")
