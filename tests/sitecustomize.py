"""What Python runs first in every process of a test that has this folder on its path: it replaces at most one module.

``QUASH_TEST_REPLACED`` names a module of quash and a file, as ``MODULE=FILE``: whatever imports that module gets what
stands in the file. So a broken variant holds in each process that its test starts, and the files of the repository stay
as they are. Without that variable nothing happens here.
"""

import os
import sys

VARIABLE = "QUASH_TEST_REPLACED"


def replace_module() -> None:
    """Let the module that the environment names be loaded from the file that it names, in this process."""
    replaced, _, changed = os.environ[VARIABLE].partition("=")
    # Here, since most processes of the tests replace nothing, and start sooner without.
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
    from pathlib import Path
    from types import CodeType, ModuleType

    class Loader(SourceFileLoader):
        def get_code(self, fullname: str) -> CodeType:
            return compile(Path(changed).read_bytes(), changed, "exec", dont_inherit=True)

    class Finder:
        @staticmethod
        def find_spec(
            name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
        ) -> ModuleSpec | None:
            if name != replaced:
                return None
            found = PathFinder.find_spec(name, path, target)
            if found is None or found.origin is None:
                raise ModuleNotFoundError(f"there is no module {name}", name=name)
            # The module keeps its place, beside which it may look for other files.
            found.loader = Loader(name, found.origin)
            return found

    sys.meta_path.insert(0, Finder)


if VARIABLE in os.environ:
    replace_module()
