"""What a run knows about tokens beyond the pattern files: policy, baseline, keys, a word list.

Promises: a run without such options loads nothing for them, not even the modules; every mistake in
a file is reported before the work begins; the pattern tables are read when the first token needs
them, once per process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext
from jwtleak.errors import UsageError
from jwtleak.patterns import load_tables

if TYPE_CHECKING:
    from jwtleak.assess.assessor import AssessmentTables
    from jwtleak.assess.policy import Policy
    from jwtleak.assess.signatures import Verifier
    from jwtleak.runtime.config import ConfigFile

Warn = Callable[[str], None]

# Word lists for JWT keys are at most about a megabyte. Of a general list, only the first tens of
# millions of words can be tried in the time that a scan has.
MAX_WORDS = 64 * 1024 * 1024
MAX_BASELINE = 256 * 1024 * 1024


class AssessmentOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options that decide what a token is worth.

    `config` is the parsed configuration file, of which `[verify]`, `[[allow]]` and `[[raise]]`
    count here. The others are paths. `weak_keys_time` is the share of the run, in seconds per
    second of work, that may be spent on the word list; 0 means no limit.
    """

    config: ConfigFile | None = None
    baseline: str | None = None
    jwks: tuple[str, ...] = ()
    weak_keys: str | None = None
    weak_keys_time: float = 1.0


def prepare(
    context: AlertContext,
    options: AssessmentOptions,
    warn: Warn,
    *,
    refresh_keys: bool = False,
) -> AlertContext:
    """Return `context` with the tables and the policy that `options` ask for.

    `refresh_keys` is for a daemon: the keys of issuers are fetched again as they grow old, where a
    scan fetches them once. `warn` is called for what is odd but no error. Raises UsageError.
    """
    if not any((options.config, options.baseline, options.jwks, options.weak_keys)):
        return replace(context, load_tables=load_tables)
    policy = _policy(options, context.now, warn)
    verifier = _verifier(options, warn, refresh_keys=refresh_keys)
    path = options.weak_keys
    if path is not None and not _words(path).split():
        raise UsageError(f"{path}: holds no words")
    context = replace(context, policy=policy)
    if verifier is None and path is None:
        return replace(context, load_tables=load_tables)

    @cache
    def load() -> AssessmentTables:
        # Runs in the process that meets a token: the words are read a second time there rather
        # than kept in the parent, which would hold up to MAX_WORDS beside those of each worker.
        tables = load_tables()
        if path is not None:
            import time

            from jwtleak.assess.hmac_keys import WeakKeys

            weak = WeakKeys(_words(path), time.monotonic, options.weak_keys_time)
            tables = replace(tables, weak=weak)
        return replace(tables, verifier=verifier)

    if refresh_keys:
        load()  # a daemon's first alert should not wait for the tables
    return replace(context, load_tables=load)


def _policy(options: AssessmentOptions, now: float, warn: Warn) -> Policy | None:
    """The rules of the configuration and the findings of the baseline; None without any."""
    from jwtleak.assess.policy import Policy, read_baseline
    from jwtleak.key_files import read_words

    config = options.config
    policy = Policy() if config is None else Policy(config.allow, config.raises)
    if options.baseline is not None:
        known = read_baseline(read_words(options.baseline, MAX_BASELINE), options.baseline)
        policy = replace(policy, baseline=known)
    warn_expired_rules(policy, now, warn)
    return None if policy.empty else policy


def warn_expired_rules(policy: Policy, now: float, warn: Warn) -> None:
    """Warn of each rule whose `until` is past at `now` (Unix seconds): it no longer applies."""
    from datetime import UTC, datetime

    from jwtleak.assess.policy import is_over

    today = datetime.fromtimestamp(now, UTC).date()
    for rule in (*policy.allow, *policy.raises):
        if is_over(rule, today):
            warn(f"a rule of the policy ended on {rule.until}: {rule.reason}")


def _verifier(options: AssessmentOptions, warn: Warn, *, refresh_keys: bool) -> Verifier | None:
    """Checks signatures with the keys of `--jwks` and `[verify]`; None where there are none."""
    from jwtleak.runtime.issuer_keys import VerifySettings, fixed_verifier, live_verifier

    settings = VerifySettings() if options.config is None else options.config.verify
    if not options.jwks and settings.empty:
        return None
    make = live_verifier if refresh_keys else fixed_verifier
    return make(settings, options.jwks, warn)


def _words(path: str) -> bytes:
    from jwtleak.key_files import read_words

    return read_words(path, MAX_WORDS)
