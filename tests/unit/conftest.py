"""Fixtures that several rooms share."""

from __future__ import annotations

from alert_fixtures import make
from archive_fixtures import codec, pack, stream_bytes, tar, unpack, zipped

__all__ = ["codec", "make", "pack", "stream_bytes", "tar", "unpack", "zipped"]
