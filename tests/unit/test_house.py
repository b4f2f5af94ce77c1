"""The house rules that no tool checks: short functions, the few blind excepts, and who may print or load Textual."""

import ast
import math
from collections.abc import Iterator

import pytest

from support.sizes import Module, Size, class_sizes, function_sizes, modules, read

FUNCTION_LINES = 60
FUNCTION_LINES_95TH = 40

# Everything may be caught where the alternative is that nobody is told: once in each of these.
BLIND_EXCEPTS = {
    "tui_app/engine/containment.py": "the engine's one place: an error stays with its item, chunk, run or plan",
    "tui_app/service/app.py": "the service's handler: a fault becomes a problem with an id",
    "tui_app/tui/app.py": "the app's presenter: a fault becomes a banner, not a torn terminal",
}
# An allow-list, where import-linter knows only what is forbidden: the screens are handed their settings, too.
SCREENS_MAY_IMPORT = {"tui", "client", "contract", "domain", "glyphs", "resources", "__version__"}


def blind_excepts(module: Module) -> list[int]:
    """The lines of handlers that catch everything: bare, or naming Exception or BaseException.

    `except BaseException: …; raise` is none: it undoes, as a rollback does, and hides nothing.
    """
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or _names_everything(node.type))
        and not _only_undoes(node)
    ]


def _only_undoes(handler: ast.ExceptHandler) -> bool:
    last = handler.body[-1]
    undone = isinstance(handler.type, ast.Name) and handler.type.id == "BaseException"
    return undone and isinstance(last, ast.Raise) and last.exc is None


def _names_everything(caught: ast.expr) -> bool:
    parts = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(isinstance(part, ast.Name) and part.id in {"Exception", "BaseException"} for part in parts)


def prints(module: Module) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]


def imports_of(module: Module, package: str) -> list[int]:
    """The lines that import the package or a part of it, wherever in the module they stand."""
    return sorted(
        {
            node.lineno
            for node in ast.walk(module.tree)
            for name in _imported(node)
            if name == package or name.startswith(f"{package}.")
        }
    )


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
        return [f"{node.module}.{alias.name}" for alias in node.names]
    return []


READERS_OF_MOMENTS = {"fromisoformat", "fromtimestamp", "strptime", "parsedate_to_datetime", "utcfromtimestamp"}


def reads_moments(module: Module) -> list[int]:
    """The lines that make a moment of a text or a number by themselves."""
    return [
        node.lineno
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Attribute) and node.attr in READERS_OF_MOMENTS)
        or (isinstance(node, ast.Name) and node.id in READERS_OF_MOMENTS)
    ]


def too_large(sizes: Iterator[Size], limit: int) -> list[str]:
    return [f"{where}: {size}, and the limit is under {limit}" for where, size in sizes if size >= limit]


def test_no_function_reaches_the_limit():
    sizes = (size for module in modules() for size in function_sizes(module))
    assert too_large(sizes, FUNCTION_LINES) == []


def test_most_functions_are_short():
    sizes = sorted((size for module in modules() for size in function_sizes(module)), key=lambda it: it.size)
    if not sizes:
        return
    at = math.ceil(0.95 * len(sizes)) - 1
    longest = [f"{where}: {size}" for where, size in reversed(sizes[at:])]
    assert sizes[at].size < FUNCTION_LINES_95TH, "\n".join(longest)


def test_everything_is_caught_only_where_it_is_meant_to_be():
    found = [f"{module.name}:{line}" for module in modules() for line in blind_excepts(module)]
    strangers = [place for place in found if place.rpartition(":")[0] not in BLIND_EXCEPTS]
    crowded = [name for name in BLIND_EXCEPTS if sum(place.startswith(f"{name}:") for place in found) > 1]
    assert (strangers, crowded) == ([], [])


def test_only_the_command_line_prints():
    found = [f"{module.name}:{line}" for module in modules() for line in prints(module)]
    assert [place for place in found if not place.startswith("tui_app/cli/")] == []


def test_moments_from_outside_are_read_in_one_place():
    found = [f"{module.name}:{line}" for module in modules() for line in reads_moments(module)]
    assert [place for place in found if not place.startswith("tui_app/domain/moments.py:")] == []


def test_only_the_screens_know_textual():
    found = [f"{module.name}:{line}" for module in modules() for line in imports_of(module, "textual")]
    assert [place for place in found if not place.startswith("tui_app/tui/")] == []


def test_the_screens_reach_only_what_they_may():
    found = [
        f"{module.name}: {name}"
        for module in modules()
        if module.name.startswith("tui_app/tui/")
        for node in ast.walk(module.tree)
        for name in _imported(node)
        if name.startswith("tui_app.") and name.split(".")[1] not in SCREENS_MAY_IMPORT
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "finder", "expected"),
    [
        ("try:\n    f()\nexcept:\n    raise", blind_excepts, [3]),
        ("try:\n    f()\nexcept (OSError, Exception) as e:\n    raise", blind_excepts, [3]),
        ("try:\n    f()\nexcept OSError:\n    raise", blind_excepts, []),
        ("try:\n    f()\nexcept BaseException:\n    g()\n    raise", blind_excepts, []),
        ("try:\n    f()\nexcept BaseException:\n    raise E from None", blind_excepts, [3]),
        ("try:\n    f()\nexcept Exception:\n    raise", blind_excepts, [3]),
        ("def f():\n    print(1)", prints, [2]),
        ("a = datetime.fromisoformat(b)\nc = datetime.now(UTC)", reads_moments, [1]),
        ("from email.utils import parsedate_to_datetime\na = parsedate_to_datetime(b)", reads_moments, [2]),
        ("def f():\n    import textual.app", lambda module: imports_of(module, "textual"), [2]),
        ("from textual import on", lambda module: imports_of(module, "textual"), [1]),
        ("from tui_app import config", lambda module: imports_of(module, "tui_app.config"), [1]),
        ("import textualize", lambda module: imports_of(module, "textual"), []),
        ("@a\n@b(\n  1)\ndef f():\n  pass", lambda module: [s.size for s in function_sizes(module)], [5]),
        (
            "class A:\n  def a(self): ...\n  async def b(self): ...",
            lambda m: [s.size for s in class_sizes(m)],
            [2],
        ),
    ],
)
def test_the_measures_see_what_they_measure(tmp_path, source, finder, expected):
    path = tmp_path / "module.py"
    path.write_text(source, encoding="utf-8")
    assert list(finder(read(path, tmp_path))) == expected


def test_a_limit_is_broken_by_reaching_it():
    assert too_large(iter([Size("a", 59), Size("b", 60)]), FUNCTION_LINES) == ["b: 60, and the limit is under 60"]
