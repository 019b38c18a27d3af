"""What options know about tokens: policy, baseline, word list and keys; nothing is loaded without
them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from minting import CLAIMS, NOW, jws, sha256
from msgspec.structs import replace

from jwtleak.alerts.builder import AlertContext, Builder
from jwtleak.assess.policy import write_baseline
from jwtleak.core.channel import Channels
from jwtleak.core.engine import Engine
from jwtleak.errors import UsageError
from jwtleak.patterns import load_channels, load_tables
from jwtleak.runtime.assessment import AssessmentOptions, prepare
from jwtleak.runtime.config import ConfigFile
from jwtleak.typed_toml import read
from jwtleak.types import StreamInfo

CONTEXT = AlertContext(NOW, "host", b"k" * 32)


def prepared(options: AssessmentOptions, warned: list[str] | None = None) -> AlertContext:
    """The context that `options` ask for."""
    return prepare(CONTEXT, options, (warned if warned is not None else []).append)


def config(path: Path, text: str) -> ConfigFile:
    """A configuration file with `text`, parsed."""
    return read(Path(write(path, text)), ConfigFile)


def signature_of(context: AlertContext, token: str) -> object:
    """What is said of a token's signature."""
    engine = Engine(Channels(load_channels()))
    (finding,) = engine.feed(f"t={token}\n".encode()) + engine.close()
    return Builder(StreamInfo("file", "a.log"), context).build(finding, "0" * 40).token.signature


def test_without_options() -> None:
    """The pattern files, no policy, and nothing to verify."""
    assert prepared(AssessmentOptions()) == replace(CONTEXT, load_tables=load_tables)


def write(path: Path, text: str) -> str:
    """A file with `text`."""
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_policy(tmp_path: Path) -> None:
    """Rules come from the configuration; one whose day is over, as of `now`, is told and left
    out.
    """
    found = config(
        tmp_path / "jwtleak.toml",
        '[[allow]]\nissuer = "a"\nreason = "known"\n[[allow]]\nissuer = "b"\nreason = "old"\nuntil = 2026-01-14\n'  # noqa: E501
        '[[raise]]\nprovider = "okta"\nseverity = "critical"\nreason = "ours"\n[tail]\npaths = ["/x"]\n[[sink]]\nurl = "stdout"\n',  # noqa: E501
    )
    warned: list[str] = []
    policy = prepared(AssessmentOptions(config=found), warned).policy
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
        prepared(AssessmentOptions(config=config(tmp_path / "jwtleak.toml", text)))
    assert "jwtleak.toml" in str(raised.value)


def test_baseline(tmp_path: Path) -> None:
    """The findings of a baseline are part of the policy."""
    (tmp_path / "b.json").write_bytes(write_baseline({f"{sha256(jws())} a.log"}))
    policy = prepared(AssessmentOptions(baseline=str(tmp_path / "b.json"))).policy
    assert policy is not None
    assert policy.baseline == {f"{sha256(jws())} a.log"}


def test_word_list(tmp_path: Path) -> None:
    """A word list is read where it is used; an empty one is refused at once."""
    words = write(tmp_path / "words", "x\na throw-away key of the test suite\n")
    assert signature_of(prepared(AssessmentOptions(weak_keys=words)), jws()) == "weak_key"
    assert signature_of(prepared(AssessmentOptions()), jws()) == "unchecked"
    with pytest.raises(UsageError, match="holds no words"):
        prepared(AssessmentOptions(weak_keys=write(tmp_path / "empty", "\n\n")))


def test_a_secret_of_the_configuration(tmp_path: Path) -> None:
    """A secret that the configuration names verifies the tokens of its issuer."""
    secret = write(tmp_path / "secret", "a throw-away key of the test suite\n")
    text = f'[[verify.secret]]\nissuer = "{CLAIMS["iss"]}"\nfile = "{secret}"\n'
    context = prepared(AssessmentOptions(config=config(tmp_path / "c.toml", text)))
    assert signature_of(context, jws()) == "valid"


def test_tables_are_loaded_once(tmp_path: Path) -> None:
    """One context loads its tables once, whoever asks."""
    know = prepared(AssessmentOptions(weak_keys=write(tmp_path / "words", "x\n"))).load_tables
    assert know is not None
    assert know() is know()


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
    found = config(tmp_path / "jwtleak.toml", text)
    warned: list[str] = []
    context = prepare(CONTEXT, AssessmentOptions(config=found), warned.append, refresh_keys=True)
    assert warned == ["a rule of the policy ended on 2020-01-01: old"]
    assert context.policy is not None
    assert signature_of(context, jws()) == "valid"
    assert context.load_tables is not None
    assert context.load_tables is not None
    assert context.load_tables() is context.load_tables()


def test_the_start_loads_no_tables() -> None:
    """A scan that finds nothing loads neither the tables nor PyJWT, httpx or the modules that use
    them.
    """
    code = (
        "import sys; from jwtleak.cli.scan import command; from jwtleak.runtime.assessment import *;"  # noqa: E501
        "from jwtleak.alerts.builder import *; from jwtleak.types import StreamInfo;"
        "Builder(StreamInfo('stdin'), prepare(AlertContext(0, None, b''), AssessmentOptions(), print));"  # noqa: E501
        "print([name for name in ('jwt', 'httpx', 'cryptography', 'jwtleak.assess.issuers', 'jwtleak.assess.policy',"  # noqa: E501
        "'jwtleak.assess.assessor', 'jwtleak.runtime.issuer_keys', 'jwtleak.patterns.tables') if name in sys.modules])"  # noqa: E501
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"
