"""The daemon of `tail`: poll, read, detect, commit, deliver.

Promises: every byte that a poll can read is scanned; an alert is on disk before the offset that
covers it moves; after a crash the same alert has the same id.
"""
