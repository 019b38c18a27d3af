"""Bytes inside bytes: codecs and containers, recognised by content."""
