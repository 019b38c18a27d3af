"""The words of a server as they may be shown and kept.

Promises: what a server says is written by somebody else and may repeat what was sent to it: it is
cut, cleaned, freed of tokens and of this sink's own credentials.
"""

from __future__ import annotations

from jwtleak.core.redaction import redact_text
from jwtleak.core.sanitize import clean, mask
from jwtleak.secret import Secret

# As much of a reply as says why; the rest is an HTML page or an echo of the request.
MAX_REASON = 512
# Looked at before it is cut, so that a token that stands across the cut is recognised.
_LOOKED_AT = 4096


def safe(text: str | bytes, *secrets: Secret) -> str:
    """`text` in one line, at most MAX_REASON characters, without tokens, pieces of tokens, or
    `secrets`.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    for secret in secrets:
        if len(secret):
            data = data.replace(secret.reveal(), b"***")
    words = redact_text(data[:_LOOKED_AT].decode("utf-8", "replace"))
    masked = mask(" ".join(words.split()).encode()).decode("utf-8", "replace")
    return clean(masked, MAX_REASON).strip()
