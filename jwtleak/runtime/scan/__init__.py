"""The loop of `scan`."""
