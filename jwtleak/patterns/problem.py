"""What the checks of pattern files share: how a problem is told, and how dummy segments are written."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import NamedTuple


class Problem(NamedTuple):
    """What is wrong with an entry of a file."""

    file: str
    id: str
    message: str


def b64(data: bytes) -> str:
    """base64url without padding, as segments of tokens are written (RFC 7515 section 2)."""
    return urlsafe_b64encode(data).rstrip(b"=").decode()
