"""Findings to alerts. Pure."""
