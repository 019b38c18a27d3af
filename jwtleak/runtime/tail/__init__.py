"""Following files: look, read, detect, commit, hand over. The promise of `tail` is kept here.

Every byte readable at a look is scanned; an alert is on disk before the offset that covers it
moves; after a crash the same alert has the same id.
"""
