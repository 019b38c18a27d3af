"""Unwrappers: encodings that loggers and transports put over text. Pure."""

from jwtleak.core.unwrap.base64_ import Base64
from jwtleak.core.unwrap.container_logs import Cri, Docker
from jwtleak.core.unwrap.escapes import Escapes
from jwtleak.core.unwrap.html import Html
from jwtleak.core.unwrap.interface import LineUnwrapper, Unwrapper, View
from jwtleak.core.unwrap.line_wrap import LineWrap
from jwtleak.core.unwrap.percent import Percent
from jwtleak.core.unwrap.quoted_printable import QuotedPrintable
from jwtleak.core.unwrap.utf16 import Utf16

# Those under which `eyJ` still reads `eyJ`, so that a plain needle finds the token; each has its
# own stop bytes.
ALL: tuple[Unwrapper, ...] = (Percent(), Escapes(), Html(), QuotedPrintable(), LineWrap())

# Those whose regions are whole lines.
LINES: tuple[LineUnwrapper, ...] = (Cri(), Docker())

__all__ = ["ALL", "LINES", "Base64", "LineUnwrapper", "Unwrapper", "Utf16", "View"]
