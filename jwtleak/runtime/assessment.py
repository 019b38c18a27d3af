"""What judges the worth of tokens, as options ask for it.

Promises: a run without such options loads nothing for them; the tables themselves are read when the
first token asks.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from jwtleak.alerts.builder import AlertContext
from jwtleak.patterns import load_tables


class AssessmentOptions(msgspec.Struct, frozen=True):
    """The options that speak of worth, as given."""

    config: str | None = None
    baseline: str | None = None
    jwks: tuple[str, ...] = ()
    weak_keys: str | None = None
    weak_keys_time: float = 1.0


def prepare(
    setting: AlertContext,
    asked: AssessmentOptions,
    warn: Callable[[str], None],
    *,
    live: bool = False,
) -> AlertContext:
    """`setting` with the tables and the policy that were asked for. Raises UsageError; `warn` is
    told what is only odd. `live`: for a program that runs on, in one process.
    """
    if not any((asked.config, asked.baseline, asked.jwks, asked.weak_keys)):
        return msgspec.structs.replace(setting, know=load_tables)
    from jwtleak.runtime.tables import assemble

    return assemble(setting, asked, warn, live=live)
