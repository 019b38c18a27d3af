"""Pattern files: `loader` and `tables` read them, `check` and `check_tables` prove them."""

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
    "builtin_channels", "builtin_directory", "load_channels", "load_shapes", "load_tables", "load_user_patterns",
]  # fmt: skip


def builtin_channels() -> tuple[ChannelRule, ...]:
    """The channel rules that come with jwtleak. The loader itself, with its parser, is loaded only
    now.
    """
    from jwtleak.patterns.loader import load_channels

    return load_channels()


def load_tables() -> AssessmentTables:
    """What is known of issuers, keys, claims and servers; its modules are loaded when the first
    token asks.
    """
    from jwtleak.patterns.tables import load_tables

    return load_tables()


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module("jwtleak.patterns.loader"), name)
