"""Regular expressions that compile on first use.

Compiling all expressions of the core takes longer than scanning 50 MB, and most inputs need few of
them.

Promises: a drop-in for `re.compile` at the top of a module. After the first use, its methods are
those of the compiled expression, so later calls cost nothing extra.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

_METHODS = ("finditer", "fullmatch", "match", "search", "sub")


class _Lazy:
    def __init__(self, *source: Any) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        """Compile, and answer every later call with the compiled methods."""
        # Python calls this only for attributes that are missing: each method, before its first use.
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(*self._source)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(self, name)


def lazy(pattern: AnyStr) -> re.Pattern[AnyStr]:
    """`re.compile(pattern)` on first use. It has the matching methods only."""
    return cast("re.Pattern[AnyStr]", _Lazy(pattern))
