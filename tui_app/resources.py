"""Where the files are that the code reads but does not import."""

from pathlib import Path


def styles_dir() -> Path:
    """The folder of the .tcss files: inside the package where it was installed, else at the top of the repository.

    Raises:
        FileNotFoundError: neither is there, so the installation is damaged.
    """
    package = Path(__file__).parent
    for folder in (package / "styles", package.parent / "styles"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"no styles beside {package}: install quash again")
