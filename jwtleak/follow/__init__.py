"""Follows files that grow, rotate and vanish: their streams, and the bytes of each."""
