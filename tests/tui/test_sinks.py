"""No plain string reaches a widget that would read markup out of it.

Textual parses markup from a plain ``str`` in most of what it draws, and a link in a cell is then an action that runs.
What may stand in a sink is a literal of ours, or what a function of ours returns as a ``Content``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUI = ROOT / "tui_app" / "tui"

# The positional and keyword arguments that are drawn; a number is a place, a word a keyword.
SINKS: dict[str, tuple[int | str, ...]] = {
    "Static": (0, "content", "renderable"),
    "Label": (0, "content", "renderable"),
    "Button": (0, "label"),
    "Checkbox": (0, "label"),
    "RadioButton": (0, "label"),
    "Collapsible": ("title",),
    "Tab": (0, "label"),
    "TabPane": (0, "title"),
    "Option": (0, "prompt"),
    "Tree": (0, "label"),
    "Rule": (),
    "DiscoveryHit": (0, "display", "help"),
    "Hit": (1, "help"),
    "update": (0, "content"),
    "notify": (0, "message"),
    "add_option": (0,),
    "add_column": (0, "label"),
    "add_row": tuple(range(20)),
    "update_cell": (2, "value"),
    "update_cell_at": (1, "value"),
    "add_leaf": (0, "label"),
    "set_label": (0,),
    "write": (),
}
DRAWN_ATTRIBUTES = {"border_title", "border_subtitle", "tooltip", "label", "prompt", "title"}
MAKERS = {"safe", "phrase", "lines", "Content"}
# In `say`, which takes a Content, as the type checker sees to, and hands its plain text on with markup=False.
TRUSTED = {("app.py", "notify")}


def contents(trees: dict[str, ast.Module]) -> set[str]:
    """The names of functions and methods of ours that return a Content, or several."""
    return MAKERS | {
        node.name
        for tree in trees.values()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.returns is not None
        and "Content" in ast.unparse(node.returns)
    }


class Sinks:
    """The violations of one module."""

    def __init__(self, name: str, tree: ast.Module, makers: set[str]) -> None:
        self._name, self._tree, self._makers = name, tree, makers
        self._fields = _annotated(tree)

    def found(self) -> Iterator[str]:
        for scope in self._scopes():
            known = self._known(scope)
            for node in _own(scope):
                for value in self._drawn(node):
                    if not self._fine(value, known):
                        yield f"{self._name}:{value.lineno} {ast.unparse(node)[:90]}"

    def _scopes(self) -> Iterator[ast.AST]:
        yield self._tree
        yield from (node for node in ast.walk(self._tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    def _drawn(self, node: ast.AST) -> Iterator[ast.expr]:
        if isinstance(node, ast.Call):
            name = _called(node)
            if name not in SINKS or (self._name, name) in TRUSTED or self._is_dict_update(node, name):
                return
            wanted = SINKS[name]
            yield from (value for place, value in enumerate(node.args) if place in wanted)
            yield from (keyword.value for keyword in node.keywords if keyword.arg in wanted)
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Attribute) and target.attr in DRAWN_ATTRIBUTES:
                    yield node.value

    def _is_dict_update(self, node: ast.Call, name: str) -> bool:
        # A set or dict has an update() too; those of ours stand in names that say so.
        receiver = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
        return name == "update" and receiver.rpartition(".")[2] in {"members", "_asked", "found", "_stale"}

    def _known(self, scope: ast.AST) -> set[str]:
        """Local names that hold a Content: parameters that say so, and what a maker was assigned to."""
        known: set[str] = set()
        if isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef):
            arguments = [*scope.args.args, *scope.args.kwonlyargs]
            known = {each.arg for each in arguments if each.annotation and "Content" in ast.unparse(each.annotation)}
        for _ in range(2):
            for node in _own(scope):
                if isinstance(node, ast.Assign) and self._fine(node.value, known, literals=False):
                    for target in node.targets:
                        names = target.elts if isinstance(target, ast.Tuple) else [target]
                        known |= {each.id for each in names if isinstance(each, ast.Name)}
        return known

    def _fine(self, value: ast.expr, known: set[str], *, literals: bool = True) -> bool:
        if isinstance(value, ast.Constant):
            return literals and (value.value is None or (isinstance(value.value, str) and "[" not in value.value))
        if isinstance(value, ast.Name):
            return value.id in known
        if isinstance(value, ast.Attribute):
            return value.attr in self._fields
        if isinstance(value, ast.IfExp):
            return self._fine(value.body, known) and self._fine(value.orelse, known)
        if isinstance(value, ast.Await):
            return self._fine(value.value, known)
        if isinstance(value, ast.BoolOp):
            return all(self._fine(each, known) for each in value.values)
        if isinstance(value, ast.Call):
            return self._makes(value, known)
        return False

    def _makes(self, call: ast.Call, known: set[str]) -> bool:
        if isinstance(call.func, ast.Attribute):
            receiver = call.func.value
            if call.func.attr in {"stylize", "truncate", "join"}:
                return self._fine(receiver, known, literals=False)
            if call.func.attr in {"from_markup", "from_text"}:
                return False
        return _called(call) in self._makers


def _annotated(tree: ast.Module) -> set[str]:
    """Attributes that are annotated as Content, in classes and on self, or made from a parameter that is."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and "Content" in ast.unparse(node.annotation):
            found.add(node.target.attr if isinstance(node.target, ast.Attribute) else ast.unparse(node.target))
        elif isinstance(node, ast.FunctionDef):
            given = {
                each.arg for each in node.args.args if each.annotation and "Content" in ast.unparse(each.annotation)
            }
            found |= {name for name, value in _pairs(node) if value in given}
    return found


def _pairs(function: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            targets = target.elts if isinstance(target, ast.Tuple) else [target]
            values = value.elts if isinstance(value, ast.Tuple) else [value]
            for each, of in zip(targets, values, strict=False):
                if isinstance(each, ast.Attribute) and isinstance(of, ast.Name):
                    yield each.attr, of.id


def _own(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope that are not those of a function within it."""
    waiting = list(ast.iter_child_nodes(scope))
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting.extend(ast.iter_child_nodes(node))


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def modules() -> dict[str, ast.Module]:
    return {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(TUI.rglob("*.py"))}


def violations(trees: dict[str, ast.Module]) -> list[str]:
    makers = contents(trees)
    return [found for name, tree in trees.items() for found in Sinks(name, tree, makers).found()]


def test_nothing_but_content_reaches_a_sink():
    trees = modules()
    assert len(trees) > 30
    assert violations(trees) == []


BAD = [
    "Static(item.id)",
    "Static(f'{item.id}')",
    "Static('a' + name)",
    "Static('{}'.format(name))",
    "Static(str(name))",
    "Static('[b]bold[/b]')",
    "Label(name)",
    "Button(label=name)",
    "Option(choice)",
    "self.query_one(Static).update(message)",
    "panel.border_title = name",
    "widget.tooltip = f'{name}'",
    "app.notify(error.message)",
    "table.add_row('a', name)",
    "table.add_column(column.title)",
    "Static(Content.from_markup(name))",
    "Static(safe(a) if b else c)",
    "def f(text: str):\n    Static(text)",
    "def f():\n    text = str(1)\n    Static(text)",
]
GOOD = [
    "Static('')",
    "Static('filter')",
    "Static(safe(name))",
    "Static(phrase('{}', name).stylize('bold'))",
    "Static(Content(name))",
    "Static(safe(a) if b else '')",
    "def f(text: Content):\n    Static(text)",
    "def f(name):\n    text = safe(name)\n    Static(text)",
    "def made() -> Content: ...\nStatic(made())",
    "self.members.update(ids)",
]


@pytest.mark.parametrize("source", BAD)
def test_a_plain_string_is_found(source):
    assert violations({"bad.py": ast.parse(source)}), source


@pytest.mark.parametrize("source", GOOD)
def test_what_is_safe_is_let_through(source):
    assert violations({"good.py": ast.parse(source)}) == []
