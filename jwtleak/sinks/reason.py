"""A server's words, made safe to show and to keep.

Promises: the text is cut, cleaned, and freed of tokens and of the sink's own credentials: a server
may echo what was sent to it.
"""

from __future__ import annotations

from jwtleak.core.redaction import redact_text
from jwtleak.core.sanitize import clean, mask
from jwtleak.secret import Secret

# Characters: enough to say why. The rest is an HTML page or an echo of the request.
MAX_REASON = 512
# Bytes that are searched before the cut, so that a token across the cut is recognised.
_SEARCHED = 4096


def safe(text: str | bytes, *secrets: Secret) -> str:
    """`text` in one line, at most MAX_REASON characters, without tokens, parts of tokens and
    `secrets`.
    """
    data = text.encode("utf-8", "replace") if isinstance(text, str) else text
    # Before the cut: half a secret would no longer match.
    for secret in secrets:
        if len(secret):
            data = data.replace(secret.reveal(), b"***")
    words = redact_text(data[:_SEARCHED].decode("utf-8", "replace"))
    masked = mask(" ".join(words.split()).encode()).decode("utf-8", "replace")
    return clean(masked, MAX_REASON).strip()
