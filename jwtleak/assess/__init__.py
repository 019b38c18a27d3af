"""The assessment of a token: lifetime, issuer, weaknesses, severity. Pure."""
