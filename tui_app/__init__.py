"""quash: a terminal console that stops work which must not happen, and proves afterwards what was stopped.

Nothing is imported here, so that `quash --version` costs little more than the interpreter.
"""

__version__ = "0.1.0"
