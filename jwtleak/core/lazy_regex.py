"""Regular expressions that are compiled when they are first used.

Promises: a drop-in for `re.compile` at the top of a module; after the first use its methods are
those of the compiled expression. Compiling all expressions of the core takes longer than scanning
50 MB, and most inputs need a few of them.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast

_METHODS = ("finditer", "fullmatch", "match", "search", "sub")


class _Lazy:
    def __init__(self, *source: Any) -> None:
        self._source = source

    def __getattr__(self, name: str) -> Any:
        """Called for what is not there: before the first use, that is every method."""
        if name not in _METHODS:
            raise AttributeError(name)
        compiled = re.compile(*self._source)
        for method in _METHODS:
            setattr(self, method, getattr(compiled, method))
        return getattr(self, name)


def lazy(pattern: AnyStr) -> re.Pattern[AnyStr]:
    """`re.compile(pattern)`, later; only the methods that match are there."""
    return cast("re.Pattern[AnyStr]", _Lazy(pattern))
