"""`jwtleak schema`."""

from __future__ import annotations

import json

import jsonschema
from minting import kinds


def test_every_alert_is_valid(run, scan, work):
    """What `scan` prints for every kind of token is valid by the schema that `schema` prints."""
    schema = json.loads(run("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    (work / "a.log").write_text("\n".join(f"x={token} y" for token in kinds().values()))
    alerts = scan("--min-confidence=low", ".").alerts
    assert len(alerts) >= len(kinds())
    validator = jsonschema.Draft202012Validator(schema)
    for alert in alerts:
        validator.validate(alert)
