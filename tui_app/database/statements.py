"""SQL kept in files beside the code that runs it, several named statements to a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType

_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def load(package: str, file: str) -> Mapping[str, str]:
    """The statements of one file by name: each begins with a line ``-- name: something``.

    Raises:
        FileNotFoundError: the package holds no such file.
        ValueError: two statements of one name.
    """
    text = files(package).joinpath(file).read_text(encoding="utf-8")
    pieces = _HEAD.split(text)[1:]
    names, bodies = pieces[::2], (body.strip().rstrip(";") for body in pieces[1::2])
    if len(set(names)) != len(names):
        raise ValueError(f"{file} names a statement twice")
    return MappingProxyType(dict(zip(names, bodies, strict=True)))
