"""Follows files that grow, rotate and vanish: their streams, and the bytes of each.

Begin with `follower` (a poll, step by step) and `stream` (the states of a followed file).
"""
