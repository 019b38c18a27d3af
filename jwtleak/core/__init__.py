"""Floor 1: bytes to candidates to tokens to findings. Pure."""
