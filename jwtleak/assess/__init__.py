"""What a token is worth: lifetime, issuer, weaknesses, severity."""
