"""Pattern files: `loader` reads them, `check` proves them."""

from jwtleak.patterns.loader import builtin_directory, load_channels, load_shapes, load_user_patterns

__all__ = ["builtin_directory", "load_channels", "load_shapes", "load_user_patterns"]
