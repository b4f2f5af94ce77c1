"""Every verb with its options, declared; nothing heavy is imported: a verb's module is loaded when the verb runs.

``docs/cli.md`` is generated from here.
"""

from __future__ import annotations

from typing import Any

from tui_app import bootstrap
from tui_app.cli import amounts
from tui_app.cli.parser import Parser, common
from tui_app.domain.plan import FILE_TTL, TTL

ALL = "all"
DEMO_ROWS = 2_000

_FILE = "a new file, whose ending decides: .md, .jsonl, .csv; without it the standard output, as --output says"


def build() -> Parser:
    """The whole grammar; each verb's ``handler`` is ``module:function`` in this package."""
    parser = Parser(
        prog="quash",
        description="Find work that must not happen, see what stopping it would do, stop it in bulk with a reason, "
        "and prove afterwards what was done. Without a verb the console opens.",
        parents=[common()],
    )
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.set_defaults(verb=None, handler="console:open_console")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", parser_class=Parser)
    _add_demo(verbs)
    _add_reading(verbs)
    _add_plan(verbs)
    _add_apply(verbs)
    _add_cancel(verbs)
    _add_plans(verbs)
    _add_runs(verbs)
    _add_ledger(verbs)
    _add_serving(verbs)
    _add_profile(verbs)
    return parser


def _verb(verbs: Any, name: str, handler: str, told: str) -> Parser:
    parser: Parser = verbs.add_parser(name, help=told, description=told, parents=[common()])
    parser.set_defaults(handler=handler)
    return parser


def _actions(verbs: Any, name: str, handler: str, told: str) -> Any:
    return _verb(verbs, name, handler, told).add_subparsers(dest="action", metavar="ACTION")


def _system(parser: Parser, *, several: bool = False) -> None:
    more = f", or {ALL} with --ids: lines of system<TAB>id" if several else ""
    parser.add_argument("system", metavar="SYSTEM", help=f"{', '.join(bootstrap.names())}{more}")


def _add_reading(verbs: Any) -> None:
    items = _verb(verbs, "list", "items:list_items", "the items of a system, in every status unless filtered")
    _system(items)
    items.add_argument(
        "--filter",
        type=str,
        default="",
        metavar="F",
        help="terms joined by AND, such as 'status:PENDING !error_code:E1'",
    )
    items.add_argument("--sort", metavar="FIELD", help="the order; -FIELD for descending")
    items.add_argument("--limit", type=amounts.limit, default=50, metavar="N", help="rows, up to 500; default 50")
    items.add_argument("--after", metavar="CURSOR", help="go on after a page: its next")
    show = _verb(verbs, "show", "items:show_item", "one item: verdict, impact and the system's own trail")
    _system(show)
    show.add_argument("id", metavar="ID", help="the item's id")


def _add_selection(parser: Parser) -> None:
    _system(parser, several=True)
    parser.add_argument("id", nargs="*", metavar="ID", help="ids, one by one")
    parser.add_argument("--ids", metavar="FILE", help="a file of ids, one a line; - is the standard input")
    parser.add_argument("--filter", type=str, metavar="F", help="everything that the filter matches now; as for list")
    again = "also what was cancelled before and came back: its sender is told a second time"
    parser.add_argument("--again", action="store_true", help=again)


def _add_guards(parser: Parser) -> None:
    parser.add_argument(
        "--reason", type=str, metavar="R", help="why: 3 to 500 characters that the receiver understands"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask; only together with --expect-count")
    count = "how many items the plan must have, neither more nor fewer"
    parser.add_argument("--expect-count", type=amounts.count, metavar="N", help=count)


def _add_options(parser: Parser) -> None:
    notify = parser.add_mutually_exclusive_group()
    notify.add_argument("--notify", action="store_true", default=True, help="tell the stakeholders; the default")
    notify.add_argument("--no-notify", action="store_false", dest="notify", help="do not tell the stakeholders")
    drift = "cancel what changed and can still be cancelled; what cannot is skipped, or refused if it moves at the last"
    parser.add_argument("--accept-drift", action="store_true", help=drift)


def _add_waiting(parser: Parser) -> None:
    waiting = parser.add_mutually_exclusive_group()
    waiting.add_argument("--detach", action="store_true", help="do not wait for the run; exit 0 once it is confirmed")
    told = "seconds to wait at most; exit 4 then, or 75 at once where a limit lasts longer"
    waiting.add_argument("--timeout", type=amounts.seconds, metavar="S", help=told)


def _add_ttl(parser: Parser, *, file: bool) -> None:
    told = f"seconds until the plan expires; default {int(TTL.total_seconds())}"
    if file:
        told += f", with -o {int(FILE_TTL.total_seconds())}"
    parser.add_argument("--ttl", type=amounts.ttl, metavar="S", help=told)


def _add_plan(verbs: Any) -> None:
    told = "freeze a selection and say what cancelling it would do; nothing is sent"
    plan = _verb(verbs, "plan", "plans:make_plan", told)
    _add_selection(plan)
    _add_ttl(plan, file=True)
    plan.add_argument("--reason", type=str, metavar="R", help="a reason that is proposed with the plan")
    plan.add_argument("-o", "--out", metavar="FILE", help="a new file for the plan, to be reviewed and applied")


def _add_apply(verbs: Any) -> None:
    told = "cancel what a plan holds: read it again, confirm, run, wait"
    apply = _verb(verbs, "apply", "applying:apply_plan", told)
    apply.add_argument("plan", metavar="PLAN", help="a plan's id, or the path of a plan file")
    apply.add_argument("--hash", metavar="H", help="the hash of the plan that was reviewed, or its beginning")
    _add_guards(apply)
    _add_options(apply)
    _add_waiting(apply)


def _add_cancel(verbs: Any) -> None:
    cancel = _verb(verbs, "cancel", "applying:cancel", "plan and apply in one step, with the same guards")
    _add_selection(cancel)
    _add_ttl(cancel, file=False)
    _add_guards(cancel)
    _add_options(cancel)
    _add_waiting(cancel)


def _add_plans(verbs: Any) -> None:
    told = "`quash plans` lists the plans, `quash plans PLAN` shows one; or resume one that was left unfinished"
    actions = _actions(verbs, "plans", "plans:list_plans", told)
    _verb(actions, "list", "plans:list_plans", "the plans of this journal, newest first")
    resumed = "go on with a plan that nobody makes any more, in the name of its maker"
    for name, handler, said in (
        ("show", "plans:show_plan", "one plan: its numbers and its impact, or how far it is made"),
        ("resume", "plans:resume_plan", resumed),
    ):
        _verb(actions, name, handler, said).add_argument("plan", metavar="PLAN", help="the plan's id")


def _add_runs(verbs: Any) -> None:
    told = "`quash runs` lists the runs, `quash runs RUN` shows one; or steer one"
    actions = _actions(verbs, "runs", "runs:list_runs", told)
    _verb(actions, "list", "runs:list_runs", "the runs of this journal, newest first")
    _on_run(actions, "show", "runs:show_run", "one run and what became of its items; exits 0 whatever it was")
    _on_run(actions, "pause", "runs:pause_run", "pause a run once what is on its way is answered")
    resume = _on_run(actions, "resume", "runs:resume_run", "go on with a run that was paused or interrupted")
    resume.add_argument("--take-over", action="store_true", help="take it over from another operator")
    resume.add_argument(
        "--accept-target", action="store_true", help="accept that a system is another one than was planned against"
    )
    _add_waiting(resume)
    _on_run(actions, "stop", "runs:stop_run", "stop a run for good: what was not sent is skipped")
    retry = _on_run(actions, "retry", "runs:retry_run", "plan what was refused anew, and apply that")
    _add_guards(retry)
    _add_options(retry)
    _add_waiting(retry)
    told = "plan to bring back what a run cancelled, where its system can and in time, and apply that"
    undo = _on_run(actions, "undo", "runs:undo_run", told)
    _add_guards(undo)
    undo.set_defaults(notify=True, accept_drift=False)
    _add_waiting(undo)
    _on_run(
        actions,
        "verify",
        "runs:verify_run",
        "read again whether what was cancelled still is; exit 8 where not",
    )
    report = _on_run(actions, "report", "runs:report_run", "the report of a run: Markdown, JSON lines or CSV")
    report.add_argument("-o", "--out", metavar="FILE", help=_FILE)


def _on_run(actions: Any, name: str, handler: str, told: str) -> Parser:
    parser = _verb(actions, name, handler, told)
    parser.add_argument("run", metavar="RUN", help="the run's id")
    return parser


def _add_ledger(verbs: Any) -> None:
    told = "`quash ledger` lists who did what, when and why; or verify it, or export it"
    actions = _actions(verbs, "ledger", "ledger:list_lines", told)
    _add_lines(_verb(actions, "list", "ledger:list_lines", "the lines of the ledger, oldest first"))
    told = "verify the ledger and everything that is read from the journal; name what is wrong, exit 9"
    check = _verb(actions, "verify", "ledger:verify", told)
    check.add_argument("--anchor", metavar="SEQ:HASH", help="a head from elsewhere that must still be there")
    told = "a file of such heads, the last word of each line; all of them must still be there"
    check.add_argument("--anchor-file", metavar="FILE", help=told)
    export = _verb(actions, "export", "ledger:export", "the lines with the ledger's head, as evidence")
    _add_lines(export)
    export.add_argument("-o", "--out", metavar="FILE", help=_FILE)


def _add_lines(parser: Parser) -> None:
    parser.add_argument("--run", metavar="RUN", help="only lines of this run")
    parser.add_argument("--by", metavar="NAME", help="only lines of this operator")
    parser.add_argument("--item", metavar="ID", help="only lines of this item")
    parser.add_argument(
        "--event", metavar="EVENT", help="only lines of this event, such as confirmed, cancelled or refused"
    )


def _add_serving(verbs: Any) -> None:
    serve = _verb(verbs, "serve", "serving:serve", "the service on a socket, under /v1; every route wants a token")
    serve.add_argument("--host", default="127.0.0.1", metavar="H", help="the address; default 127.0.0.1")
    serve.add_argument("--port", type=amounts.port, default=8765, metavar="P", help="the port; default 8765")
    runner = _verb(verbs, "runner", "serving:runner", "works until no run is left; confirming a run starts it")
    served = "act for whoever confirmed a run at the service, not for one operator alone"
    runner.add_argument("--served", action="store_true", help=served)
    _add_hands(verbs)
    token = _verb(verbs, "token", "serving:token", "print a token for the service of this profile on this host")
    token.add_argument("--user", required=True, metavar="U", help="whom it is for")
    told = "what it may do: operate, cancel_case, cancel_schedule or cancel_schedule:ID; can be given several times"
    token.add_argument("--permission", type=str, action="append", default=[], metavar="P", help=told)
    token.add_argument("--service-account", action="store_true", help="it is for a program, not for a person")
    token.add_argument(
        "--ttl", type=amounts.seconds, default=28_800, metavar="S", help="seconds it holds; default 28800"
    )


def _add_hands(verbs: Any) -> None:
    scanner = _verb(verbs, "scanner", "hands:scanner", "queue schedules that are due, until it is interrupted")
    publisher = _verb(verbs, "publisher", "hands:publisher", "publish what is queued, until it is interrupted")
    for parser, end in ((scanner, "nothing is due"), (publisher, "the queue is empty")):
        parser.add_argument("--once", action="store_true", help=f"end as soon as {end}")
        interval = "seconds between two looks; default 1"
        parser.add_argument("--interval", type=amounts.interval, default=1.0, metavar="S", help=interval)
    batch = "schedules that are queued in one transaction; default 500"
    scanner.add_argument("--batch", type=amounts.limit, default=500, metavar="N", help=batch)


def _add_demo(verbs: Any) -> None:
    told = "the console on made-up data, in a state folder of its own; --data names it, else demo/ in the state folder"
    demo = _verb(verbs, "demo", "demo:demo", told)
    demo.add_argument("--rows", type=amounts.count, metavar="N", help=f"items of each system; default {DEMO_ROWS:,}")
    demo.add_argument("--reset", action="store_true", help="throw the demo's state away and seed anew")
    demo.add_argument("--no-open", action="store_true", help="seed only; do not open the console")


def _add_profile(verbs: Any) -> None:
    told = "`quash profile` lists the profiles of the configuration; or show or check the one in use"
    actions = _actions(verbs, "profile", "profiles:list_profiles", told)
    _verb(actions, "list", "profiles:list_profiles", "the profiles, and which one is the default")
    _verb(actions, "show", "profiles:show_profile", "what holds for the profile in use, without its secrets")
    _verb(
        actions,
        "check",
        "profiles:check_profile",
        "whether the systems of the profile in use answer, exit 3 where not, and its ledger holds, exit 9 where not",
    )
