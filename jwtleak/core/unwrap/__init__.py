"""Unwrappers: encodings that loggers and transports put over text. Pure.

A new encoding is one file here, and one line in the table of its kind (see `interface`).
"""

from jwtleak.core.unwrap.base64_ import Base64
from jwtleak.core.unwrap.base64_twice import Base64Twice
from jwtleak.core.unwrap.container_logs import Cri, Docker
from jwtleak.core.unwrap.escapes import Escapes
from jwtleak.core.unwrap.html import Html
from jwtleak.core.unwrap.interface import LineUnwrapper, RegionUnwrapper, Unwrapper, View
from jwtleak.core.unwrap.line_wrap import LineWrap
from jwtleak.core.unwrap.percent import Percent
from jwtleak.core.unwrap.quoted_printable import QuotedPrintable
from jwtleak.core.unwrap.utf16 import Utf16

# Encodings in which `eyJ` still reads `eyJ`, so that a plain needle finds the token. Each has stop
# bytes of its own.
ALL: tuple[Unwrapper, ...] = (Percent(), Escapes(), Html(), QuotedPrintable(), LineWrap())

# Encodings whose regions are whole lines.
LINES: tuple[LineUnwrapper, ...] = (Cri(), Docker())

# Encodings with needles of their own. Their order is that of the needles in the search, which
# matters for its speed (see `anchors`).
REGIONS: tuple[RegionUnwrapper, ...] = (Utf16(), Base64(), Base64Twice())

__all__ = ["ALL", "LINES", "REGIONS", "LineUnwrapper", "RegionUnwrapper", "Unwrapper", "View"]
