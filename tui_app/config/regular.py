"""Opening a file that somebody else may have put there: a regular one, and without waiting for anybody."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    """A file, open for reading, and what the system knows of it.

    Raises:
        OSError: it cannot be opened, or it is a pipe, a device or a folder: the first of these would wait for a writer
            that never comes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise OSError(errno.EINVAL, "it is no regular file")
        with open(descriptor, "rb", closefd=False) as file:
            yield file, facts
    finally:
        os.close(descriptor)
