"""Tables beside the pattern files, put together: options, configuration, and what goes to workers."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from minting import CLAIMS, NOW, jws, sha256

from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.assess.policy import write_baseline
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.errors import UsageError
from jwtleak.patterns import load_channels, load_tables
from jwtleak.runtime.assessment import AssessmentOptions
from jwtleak.runtime.tables import Tables, assemble, load
from jwtleak.types import StreamInfo

SETTING = AlertContext(NOW, "host", b"k" * 32)


def prepared(asked: AssessmentOptions, warned: list[str] | None = None) -> AlertContext:
    """A setting as a worker gets it: sent over a pipe."""
    setting = assemble(SETTING, asked, (warned if warned is not None else []).append)
    there: AlertContext = pickle.loads(pickle.dumps(setting))
    return there


def signature_of(setting: AlertContext, token: str) -> object:
    """What is said of a token's signature."""
    engine = Engine(Channels(load_channels()))
    (finding,) = engine.feed(f"t={token}\n".encode()) + engine.close()
    return Builder(StreamInfo("file", "a.log"), setting).build(finding, "0" * 40).token.signature


def test_without_options() -> None:
    """The pattern files, no policy, and nothing to verify."""
    setting = prepared(AssessmentOptions())
    assert setting.know is not None
    assert (setting.know(), setting.policy) == (load_tables(), None)
    assert setting.now == NOW


def write(path: Path, text: str) -> str:
    """A file with `text`."""
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_policy(tmp_path: Path) -> None:
    """Rules come from the configuration; one whose day is over, as of `now`, is told and left out."""
    config = write(
        tmp_path / "jwtleak.toml",
        '[[allow]]\nissuer = "a"\nreason = "known"\n[[allow]]\nissuer = "b"\nreason = "old"\nuntil = 2026-01-14\n'
        '[[raise]]\nprovider = "okta"\nseverity = "critical"\nreason = "ours"\n[tail]\npaths = ["/x"]\n[[sink]]\nurl = "stdout"\n',
    )
    warned: list[str] = []
    policy = prepared(AssessmentOptions(config), warned).policy
    assert policy is not None
    assert [rule.reason for rule in policy.allow] == ["known", "old"]
    assert [rule.severity for rule in policy.raises] == ["critical"]
    assert warned == ["a rule of the policy ended on 2026-01-14: old"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[alow]]\n", "alow"),
        ('[[allow]]\nissuer = "a"\n', r"allow\[0\].*reason|reason"),
        ('[[raise]]\nissuer = "a"\nreason = "r"\nseverity = "bad"\n', "bad"),
        ('[verify]\nissuers = { a = "http://x.test" }\n', "https"),
        ("[verify", "is not TOML"),
    ],
)
def test_broken_configurations(tmp_path: Path, text: str, told: str) -> None:
    """An error names the file and the key."""
    with pytest.raises(UsageError, match=told) as raised:
        prepared(AssessmentOptions(write(tmp_path / "jwtleak.toml", text)))
    assert "jwtleak.toml" in str(raised.value)


def test_baseline(tmp_path: Path) -> None:
    """The findings of a baseline are part of the policy."""
    (tmp_path / "b.json").write_bytes(write_baseline({f"{sha256(jws())} a.log"}))
    policy = prepared(AssessmentOptions(baseline=str(tmp_path / "b.json"))).policy
    assert policy is not None
    assert policy.known == {f"{sha256(jws())} a.log"}


def test_word_list(tmp_path: Path) -> None:
    """A word list is read where it is used; an empty one is refused at once."""
    words = write(tmp_path / "words", "x\na throw-away key of the test suite\n")
    assert signature_of(prepared(AssessmentOptions(weak_keys=words)), jws()) == "weak_key"
    assert signature_of(prepared(AssessmentOptions()), jws()) == "unchecked"
    with pytest.raises(UsageError, match="holds no words"):
        prepared(AssessmentOptions(weak_keys=write(tmp_path / "empty", "\n\n")))


def test_secrets_stay_where_they_are(tmp_path: Path) -> None:
    """What goes to workers names the secret's file; the worker reads it."""
    secret = write(tmp_path / "secret", "a throw-away key of the test suite\n")
    text = f'[[verify.secret]]\nissuer = "{CLAIMS["iss"]}"\nfile = "{secret}"\n'
    setting = prepared(AssessmentOptions(write(tmp_path / "c.toml", text)))
    assert b"throw-away" not in pickle.dumps(setting)
    assert signature_of(setting, jws()) == "valid"


def test_tables_are_loaded_once() -> None:
    """The same tables are the same object in a process."""
    assert load(Tables()) is load(Tables())


def test_for_a_program_that_runs_on(tmp_path: Path) -> None:
    """Rules whose day is over are told and stay in the policy, which asks for the day; keys are
    kept fresh.
    """
    key = write(tmp_path / "secret", "a throw-away key of the test suite")
    text = f'''
[[allow]]
issuer = "a"
reason = "old"
until = 2020-01-01

[[verify.secret]]
issuer = "{CLAIMS["iss"]}"
file = "{key}"
'''
    path = write(tmp_path / "jwtleak.toml", text)
    warned: list[str] = []
    setting = assemble(SETTING, AssessmentOptions(config=str(path)), warned.append, live=True)
    assert warned == ["a rule of the policy ended on 2020-01-01: old"]
    assert setting.policy is not None
    assert signature_of(setting, jws()) == "valid"
    assert setting.know() is setting.know()
