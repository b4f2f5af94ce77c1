"""One byte form of a JSON value, for hashes: sorted keys, no spaces, ASCII.

ASCII keeps lone surrogates, control and bidirectional characters of foreign texts from mattering to a file or a diff.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def canonical(value: Any) -> bytes:
    """The canonical bytes of a JSON-compatible value."""
    return _encode(value).encode("ascii")


def digest(value: Any) -> str:
    """SHA-256 over the canonical bytes, in hexadecimal."""
    return hashlib.sha256(canonical(value)).hexdigest()
