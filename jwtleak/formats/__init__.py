"""Alerts to bytes, in the formats of other programs. Pure. One module a format; `interface` finds
them.
"""
