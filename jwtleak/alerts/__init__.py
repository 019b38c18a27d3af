"""Floor 2: findings to alerts to bytes. Pure."""
