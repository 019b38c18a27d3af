"""Where alerts go: one small module for each kind of receiver, found by URL scheme through
`interface`.
"""
