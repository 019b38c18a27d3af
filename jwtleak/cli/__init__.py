"""Floor 5: words for people. Parse, dispatch, explain, exit.

Promises: the program starts fast. What that needs of the interpreter is done here, by
`quick_start`, before anything large is loaded; a library that is imported does none of it.
"""

import gc
import importlib
import sys
from types import ModuleType


class _Later(ModuleType):
    """Takes the place of a module until an attribute of it is used. `importlib.util.LazyLoader`
    does not do: it loads the module at `from x import y`.
    """

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


def quick_start(*, command: bool = False) -> None:
    """Make the start cheaper; `command` loads msgspec, which every command needs and `--version`
    does not.

    Saved instructions, of `--version` (155 million) and of a scan of a small file (654 million),
    each measured by leaving it out; Python itself is a good part of both:

        garbage collection is rare                2.4 %    1.5 %
        modules that click and msgspec import    13.7 %    4.7 %
          but seldom use are loaded when used
        msgspec without `typing_extensions`         -      4.9 %

    Beside it, `cli.main.run` freezes the collector at the end (9.3 %, 3.6 %), and `cli.options`
    builds options and `--help` without gettext and `inspect` (16.6 %, 4.2 %).
    """
    if not command:
        # What is loaded stays, and what is made for a token forms no cycles. Where many tokens are
        # found, looking for cycles after each 700 objects is a tenth of the time.
        gc.set_threshold(50_000, 20, 100)
        # For `--help`, texts that are generators, and JSON Schemas; `inspect` alone takes longer to
        # load than the rest of click.
        for name in ("inspect", "textwrap", "msgspec.inspect", "fnmatch", "ipaddress", "ntpath"):
            sys.modules.setdefault(name, _Later(name))
        return
    # msgspec uses of `typing_extensions` only what `typing` has had since Python 3.11. None is the
    # documented way to say that a module cannot be imported; whoever imports it later gets it.
    name = "typing_extensions"
    if name in sys.modules:
        return
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        importlib.import_module("msgspec")
    finally:
        del sys.modules[name]


quick_start()
