"""`jwtleak schema`: the JSON Schema of an alert."""

from __future__ import annotations

import json

import click

from jwtleak.alerts.alert import json_schema


@click.command("schema")
def command() -> None:
    """Print the JSON Schema (2020-12) of an alert, version 1."""
    click.echo(json.dumps(json_schema(), indent=2))
