"""Tables beside the pattern files: policy, baseline, keys for verifying, a word list; read as
options ask.

Promises: everything that can be wrong in files is said before the work begins; what is sent to
workers holds no secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext
from jwtleak.assess.assessor import AssessmentTables
from jwtleak.assess.hmac_keys import WeakKeys
from jwtleak.assess.policy import Policy, is_over, read_baseline
from jwtleak.errors import UsageError
from jwtleak.key_files import read_words
from jwtleak.patterns import load_tables
from jwtleak.runtime.assessment import AssessmentOptions
from jwtleak.runtime.config import ConfigFile
from jwtleak.runtime.issuer_keys import Spec, live_verifier, spec_of, verifier_of
from jwtleak.typed_toml import read

# The largest word lists for JWT keys are about a megabyte; of a general one the first tens of
# millions of words do not fit into the time that there is.
MAX_WORDS = 64 * 1024 * 1024
MAX_BASELINE = 256 * 1024 * 1024


class Tables(NamedTuple):
    """What a process loads beside the pattern files."""

    verify: Spec = Spec()
    weak_keys: str | None = None
    weak_keys_time: float = 1.0


def assemble(
    setting: AlertContext,
    asked: AssessmentOptions,
    warn: Callable[[str], None],
    *,
    live: bool = False,
) -> AlertContext:
    """`setting` with the tables and the policy that were asked for. `live`: for a program that runs
    on, whose keys are fetched anew as they grow old.
    """
    sections = ConfigFile() if asked.config is None else read(Path(asked.config), ConfigFile)
    policy = Policy(sections.allow, sections.raises)
    if asked.baseline is not None:
        known = read_baseline(read_words(asked.baseline, MAX_BASELINE), asked.baseline)
        policy = msgspec.structs.replace(policy, known=known)
    warn_expired_rules(policy, setting.now, warn)
    setting = replace(setting, policy=None if policy.empty else policy)
    if not asked.jwks and sections.verify.empty:
        return replace(setting, know=_know(Tables(Spec(), asked.weak_keys, asked.weak_keys_time)))
    if live:
        known_here = _know(Tables(Spec(), asked.weak_keys, asked.weak_keys_time))()
        verified = replace(known_here, verifier=live_verifier(sections.verify, asked.jwks, warn))
        return replace(setting, know=lambda: verified)
    verify = spec_of(sections.verify, asked.jwks, warn)
    return replace(setting, know=_know(Tables(verify, asked.weak_keys, asked.weak_keys_time)))


def warn_expired_rules(policy: Policy, now: float, warn: Callable[[str], None]) -> None:
    """Name the rules whose day is over: they do not apply any more."""
    today = datetime.fromtimestamp(now, UTC).date()
    for rule in (*policy.allow, *policy.raises):
        if is_over(rule, today):
            warn(f"a rule of the policy ended on {rule.until}: {rule.reason}")


def _know(tables: Tables) -> Callable[[], AssessmentTables]:
    """A function that can be sent to workers: it loads the tables in the process that calls it,
    once.
    """
    if tables.weak_keys is not None and not read_words(tables.weak_keys, MAX_WORDS).split():
        raise UsageError(f"{tables.weak_keys}: holds no words")
    if tables.verify.empty and tables.weak_keys is None:
        return load_tables
    return partial(load, tables)


@lru_cache(maxsize=1)
def load(tables: Tables) -> AssessmentTables:
    """The pattern files, and what `tables` adds to them."""
    known = load_tables()
    if tables.weak_keys is not None:
        words = read_words(tables.weak_keys, MAX_WORDS)
        known = replace(known, weak=WeakKeys(words, time.monotonic, tables.weak_keys_time))
    if not tables.verify.empty:
        known = replace(known, verifier=verifier_of(tables.verify))
    return known
