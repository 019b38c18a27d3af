"""The fields of `jwtleak.*`: what no standard has a name for, under the same names in every format.

Promises: complete: every fact of an alert is here or has a home that all formats know (id, times, host, path). No value
is a list of objects, no name comes from a claim, no field changes its type.
"""

from __future__ import annotations

from jwtleak.formats.layout import Field, Layout

FIELDS = (
    Field("schema", "schema"),
    Field("event", "event"),
    Field("severity", "severity"),
    Field("confidence", "confidence"),
    Field("reasons", "reasons"),
    Field("suppressed", "suppressed"),
    Field("supersedes", "supersedes"),
    Field("fingerprint", "token.sha256", convert="sha256:{}".format),
    Field("redacted", "token.redacted"),
    Field("status", "token.status"),
    Field("channel", "channel.type"),
    Field("parameter", "channel.name"),
    Field("encodings", "channel.encodings"),
    Field("source", "location.source"),
    Field("member", "location.member"),
    Field("line", "location.line", "long"),
    Field("column", "location.column", "long"),
    Field("offset", "location.offset", "long"),
    Field("length", "location.length", "long"),
    Field("stream", "location.container.stream"),
    Field("count", "sightings.count", "long"),
    Field("first_offset", "sightings.first_offset", "long"),
    Field("last_offset", "sightings.last_offset", "long"),
    Field("detected_at", "detected_at", "date"),
    Field("logged_at", "logged_at", "date"),
    Field("first_seen", "first_seen", "date"),
    Field("last_seen", "last_seen", "date"),
    Field("live_when_logged", "live_when_logged", "boolean"),
    Field("excerpt", "excerpt"),
    Field("advice", "advice"),
    Field("references", "references"),
    Field("pattern", "pattern"),
    Field("truncated", "truncated", "boolean"),
    Field("jwt.kind", "token.kind"),
    Field("jwt.alg", "token.alg"),
    Field("jwt.enc", "token.enc"),
    Field("jwt.kid", "token.kid"),
    Field("jwt.typ", "token.typ"),
    Field("jwt.iss", "token.issuer"),
    Field("jwt.aud", "token.audience"),
    Field("jwt.iat", "token.issued_at", "date"),
    Field("jwt.nbf", "token.not_before", "date"),
    Field("jwt.exp", "token.expires_at", "date"),
    Field("jwt.ttl_remaining_s", "token.expires_in", "long"),
    Field("jwt.lifetime_s", "token.lifetime", "long"),
    Field("jwt.scopes", "token.scopes"),
    Field("jwt.sub_hash", "token.subject_hash"),
    Field("jwt.provider", "token.provider"),
    Field("jwt.use", "token.use"),
    Field("jwt.signature", "token.signature"),
    Field("jwt.weaknesses", "token.weaknesses"),
    Field("jwt.length", "token.length", "long"),
)
CUSTOM = Layout(FIELDS)
