"""Pattern files: `loader` and `knowledge` read them, `check` and `check_knowledge` prove them."""

from __future__ import annotations

from jwtleak.alerts.knowledge import Knowledge
from jwtleak.patterns.loader import builtin_directory, load_channels, load_shapes, load_user_patterns

__all__ = ["builtin_directory", "load_channels", "load_knowledge", "load_shapes", "load_user_patterns"]


def load_knowledge() -> Knowledge:
    """What is known of issuers, keys, claims and servers; its modules are loaded when the first token asks."""
    from jwtleak.patterns.knowledge import load_knowledge

    return load_knowledge()
