"""Tables beside the pattern files: policy, baseline, keys for verifying, a word list; read as options ask.

Promises: everything that can be wrong in files is said before the work begins; what is sent to workers holds no secret.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from jwtleak.alerts.build import Setting
from jwtleak.alerts.keys import WeakKeys
from jwtleak.alerts.knowledge import Knowledge
from jwtleak.alerts.policy import Allow, Policy, Raise, for_day, read_baseline
from jwtleak.config import read
from jwtleak.errors import UsageError
from jwtleak.patterns import load_knowledge
from jwtleak.runtime.verify import Spec, VerifySettings, spec_of, verifier_of
from jwtleak.runtime.worth import Asked
from jwtleak.sources.jwks import read_words

# The largest word lists for JWT keys are about a megabyte; of a general one the first tens of millions of words do not fit
# into the time that there is.
MAX_WORDS = 64 * 1024 * 1024
MAX_BASELINE = 256 * 1024 * 1024


class Sections(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"raises": "raise"}):
    """The sections of `jwtleak.toml` that a scan uses. Those of other commands may stand beside them."""

    allow: tuple[Allow, ...] = ()
    raises: tuple[Raise, ...] = ()
    verify: VerifySettings = VerifySettings()
    tail: Any = None
    sink: Any = None
    store: Any = None
    state: Any = None
    metrics: Any = None
    log: Any = None
    delivery: Any = None
    health: Any = None


class Tables(NamedTuple):
    """What a process loads beside the pattern files."""

    verify: Spec = Spec()
    weak_keys: str | None = None
    weak_keys_time: float = 1.0


def put_together(setting: Setting, asked: Asked, warn: Callable[[str], None]) -> Setting:
    """`setting` with the tables and the policy that were asked for."""
    sections = Sections() if asked.config is None else read(Path(asked.config), Sections)
    policy = _policy(sections, datetime.fromtimestamp(setting.now, UTC).date(), warn)
    if asked.baseline is not None:
        known = read_baseline(read_words(asked.baseline, MAX_BASELINE), asked.baseline)
        policy = msgspec.structs.replace(policy, known=known)
    verify = Spec()
    if asked.jwks or sections.verify.issuers or sections.verify.secret:
        verify = spec_of(sections.verify, asked.jwks, warn)
    tables = Tables(verify, asked.weak_keys, asked.weak_keys_time)
    return setting._replace(know=_know(tables), policy=None if policy.empty else policy)


def _policy(sections: Sections, today: date, warn: Callable[[str], None]) -> Policy:
    policy, expired = for_day(sections.allow, sections.raises, today)
    for rule in expired:
        warn(f"a rule of the policy ended on {rule.until}: {rule.reason}")
    return policy


def _know(tables: Tables) -> Callable[[], Knowledge]:
    """A function that can be sent to workers: it loads the tables in the process that calls it, once."""
    if tables.weak_keys is not None and not read_words(tables.weak_keys, MAX_WORDS).split():
        raise UsageError(f"{tables.weak_keys}: holds no words")
    if tables.verify.empty and tables.weak_keys is None:
        return load_knowledge
    return partial(load, tables)


@lru_cache(maxsize=1)
def load(tables: Tables) -> Knowledge:
    """The pattern files, and what `tables` adds to them."""
    known = load_knowledge()
    if tables.weak_keys is not None:
        words = read_words(tables.weak_keys, MAX_WORDS)
        known = known._replace(weak=WeakKeys(words, time.monotonic, tables.weak_keys_time))
    if not tables.verify.empty:
        known = known._replace(verifier=verifier_of(tables.verify))
    return known
