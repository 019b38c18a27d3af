"""Floor 5: words for people. Parse, dispatch, explain, exit.

Here is what makes the program start fast, before anything large is loaded; a library that is imported does none of it.
"""

import gc
import importlib
import sys
from types import ModuleType

# What is loaded stays, and what is made for a token forms no cycles: looking for them after each 700 objects is a tenth of
# the time.
gc.set_threshold(50_000, 20, 100)


class _Later(ModuleType):
    """Stands for a module until it is first asked for something. `importlib.util.LazyLoader` loads it at an `import`."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


# What click, msgspec and pathlib import for `--help`, JSON Schemas and other systems' paths: together a tenth of the start.
for _name in ("inspect", "textwrap", "msgspec.inspect", "fnmatch", "ipaddress", "ntpath"):
    sys.modules.setdefault(_name, _Later(_name))


def load_msgspec() -> None:
    """Load msgspec, which all commands need, without `typing_extensions`: from there it takes what `typing` has had since
    Python 3.11, and that takes a tenth of the start, too. Whoever asks for it later gets it."""
    name = "typing_extensions"
    if name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]  # the documented way to say that a module cannot be imported
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules[name]
