"""Floor 4: the loops that move data between the edges and the core."""
