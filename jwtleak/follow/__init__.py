"""Files that grow: which there are, which stream each one is, and their bytes."""
