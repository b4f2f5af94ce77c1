"""The sizes of modules, classes and functions. Run as a module it prints the largest: a symptom, not a rule."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "tui_app"
SHOWN = 10
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Module(NamedTuple):
    """A parsed file: its path below the root, and its number of lines."""

    name: str
    lines: int
    tree: ast.Module


class Size(NamedTuple):
    """Lines of a module or a function, or methods of a class."""

    where: str
    size: int


def read(path: Path, root: Path) -> Module:
    """Parse one file."""
    text = path.read_text(encoding="utf-8")
    return Module(path.relative_to(root).as_posix(), len(text.splitlines()), ast.parse(text))


def modules() -> list[Module]:
    """Every module of the package."""
    found = [read(path, ROOT) for path in sorted(PACKAGE.rglob("*.py"))]
    assert found, "there is no code to measure"
    return found


def function_sizes(module: Module) -> Iterator[Size]:
    """Lines of each function, its decorators included."""
    for node in ast.walk(module.tree):
        if isinstance(node, FUNCTIONS):
            first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
            yield Size(f"{module.name}:{node.lineno} {node.name}()", (node.end_lineno or first) - first + 1)


def class_sizes(module: Module) -> Iterator[Size]:
    """Methods of each class."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef):
            methods = sum(isinstance(member, FUNCTIONS) for member in node.body)
            yield Size(f"{module.name}:{node.lineno} {node.name}", methods)


def print_largest(title: str, sizes: list[Size]) -> None:
    """Print the largest of these, the largest first."""
    print(title)
    for where, size in sorted(sizes, key=lambda one: one.size, reverse=True)[:SHOWN]:
        print(f"  {size:5}  {where}")


if __name__ == "__main__":
    everything = modules()
    print_largest("largest modules, in lines", [Size(module.name, module.lines) for module in everything])
    print_largest("largest classes, in methods", [size for module in everything for size in class_sizes(module)])
