"""Pattern files: `loader` and `tables` load them, `check` and `check_tables` test them.

Promises: importing this package loads no parser. The functions below and the names of `loader` do
when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from jwtleak.core.channel import ChannelRule

if TYPE_CHECKING:
    from jwtleak.assess.assessor import AssessmentTables
    from jwtleak.patterns.loader import (
        builtin_directory,
        load_channels,
        load_shapes,
        load_user_patterns,
    )

__all__ = [
    "builtin_channels",
    "builtin_directory",
    "load_channels",
    "load_shapes",
    "load_tables",
    "load_user_patterns",
]


def builtin_channels() -> tuple[ChannelRule, ...]:
    """The channel rules that come with jwtleak."""
    # Imported here: `loader` loads the TOML parser, which only the first token needs.
    from jwtleak.patterns.loader import load_channels

    return load_channels()


def load_tables() -> AssessmentTables:
    """The tables of issuers, keys, claims and servers. Called at the first token."""
    from jwtleak.patterns.tables import load_tables

    return load_tables()


def __getattr__(name: str) -> object:
    # PEP 562: called for the names of `loader`, which are no attributes of this module.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("jwtleak.patterns.loader"), name)
