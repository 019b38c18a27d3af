"""Floor 5: words for people. Parse, dispatch, explain, exit.

Here is what makes the program start fast, before anything large is loaded; a library that is
imported does none of it.
"""

import gc
import importlib
import sys
from types import ModuleType

# What is loaded stays, and what is made for a token forms no cycles: looking for them after each
# 700 objects is a tenth of the time.
gc.set_threshold(50_000, 20, 100)


class _Later(ModuleType):
    """Stands for a module until it is first asked for something. `importlib.util.LazyLoader` loads
    it at an `import`.
    """

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


# For `--help`, texts that are generators, and JSON Schemas; the first alone takes longer to load
# than the rest of click.
for _name in ("inspect", "textwrap", "msgspec.inspect", "fnmatch", "ipaddress", "ntpath"):
    sys.modules.setdefault(_name, _Later(_name))
