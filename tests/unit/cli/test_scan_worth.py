"""`scan` and `inspect` with policy, baseline, keys and word lists: the real program."""

from __future__ import annotations

import hmac
import json

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from minting import CLAIMS, NOW, b64, jws, sha256

KEY = ec.generate_private_key(ec.SECP256R1())


def signed(key, claims=CLAIMS):
    """A token that `key` signed with HS256."""
    text = f"{b64({'alg': 'HS256'})}.{b64(claims)}"
    return f"{text}.{b64(hmac.digest(key, text.encode(), 'sha256'))}"


@pytest.fixture
def logs(work):
    """A log with a live, an expired, a forgeable and a public token."""
    anon = jws(
        {
            "iss": "supabase",
            "ref": "abcdefghijklmnopqrst",
            "role": "anon",
            "iat": NOW,
            "exp": NOW + 60,
        }
    )
    tokens = [jws(), jws({**CLAIMS, "exp": NOW - 999}), signed(b"your-256-bit-secret"), anon]
    (work / "app.log").write_text(
        "".join(f"{number} token {one} x\n" for number, one in enumerate(tokens))
    )
    return work


def by_line(result):
    """Alerts by line number, from 0."""
    return {alert["location"]["line"] - 1: alert for alert in result.alerts}


def test_worth_is_in_the_alert(scan, logs):
    """Provider, use, signature, reasons and advice; dead and public tokens weigh little, a
    forgeable one most.
    """
    found = by_line(scan("app.log"))
    assert {line: alert["severity"] for line, alert in found.items()} == {
        0: "high",
        1: "info",
        2: "critical",
        3: "info",
    }
    assert found[2]["token"]["signature"] == "published_key"
    assert (found[3]["token"]["provider"], found[3]["token"]["use"]) == ("supabase", "anon")
    assert found[3]["reasons"] == ["live", "public_by_design"]


def test_only_live(scan, logs):
    """`--only-live` leaves out what is dead, an example or public."""
    assert set(by_line(scan("--only-live", "app.log"))) == {0, 2}
    assert scan("--only-live", "--status=expired", "app.log").status == 2


def test_processes_agree(scan, logs):
    """The tables travel to workers: two processes say what one says."""
    text = (logs / "app.log").read_text()
    (logs / "big.log").write_text(text + "x" * 70_000_000 + "\n" + text)
    one, two = (scan("--jobs", jobs, "--every", "big.log").alerts for jobs in ("1", "2"))
    assert one == two
    assert len(one) == 8


def test_policy(scan, logs):
    """`[[allow]]` keeps back and counts, `[[raise]]` lifts; what is kept back is shown when asked
    for, and no failure.
    """
    (logs / "c.toml").write_text(
        f'[[allow]]\nsha256 = "{sha256(jws())}"\nreason = "a test account"\n'
        '[[raise]]\nprovider = "supabase"\nseverity = "medium"\nreason = "ours"\n'
        '[[allow]]\nissuer = "x"\nreason = "gone"\nuntil = 2020-01-01\n'
    )
    result = scan("--config=c.toml", "--status=live", "app.log")
    assert set(by_line(result)) == {2, 3}
    assert by_line(result)[3]["severity"] == "medium"
    assert "1 findings kept back" in result.err
    assert "a rule of the policy ended on 2020-01-01: gone" in result.err
    shown = scan("--config=c.toml", "--status=live", "--show-suppressed", "app.log")
    assert by_line(shown)[0]["suppressed"] == "a test account"
    (logs / "one.log").write_text(f"token {jws()}\n")
    assert scan("--config=c.toml", "--show-suppressed", "one.log").status == 0


def test_a_kept_back_token_hides_no_other_place(scan, work):
    """A rule for one channel keeps back that sighting; the same token in a URL is still found, in
    either order.
    """
    (work / "c.toml").write_text('[[allow]]\nchannel = "json_field"\nreason = "a debug field"\n')
    lines = [f'{{"token":"{jws()}"}}\n', f"GET /?t={jws()} x\n"]
    for text in ("".join(lines), "".join(reversed(lines))):
        (work / "a.log").write_text(text)
        (alert,) = scan("--config=c.toml", "a.log").alerts
        assert alert["channel"]["type"] == "url_query"
        (alert,) = scan("--config=c.toml", "-", stdin=text.encode()).alerts
        assert alert["channel"]["type"] == "url_query"


def test_baseline(scan, logs):
    """What a scan wrote down is kept back in the next one; a new token is not."""
    assert scan("--write-baseline=b.json", "app.log").status == 1
    assert len(json.loads((logs / "b.json").read_text())["findings"]) == 4
    again = scan("--baseline=b.json", "app.log")
    assert (again.status, again.alerts) == (0, [])
    assert "4 findings kept back" in again.err
    with (logs / "app.log").open("a") as log:
        log.write(f"token {jws({'sub': 'new', 'exp': NOW + 60})}\n")
    assert list(by_line(scan("--baseline=b.json", "app.log"))) == [4]
    assert not list(logs.glob("*.part"))


def test_signatures(scan, work):
    """Keys from a file make tokens valid or invalid; those of other keys stay unchecked."""
    made = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(KEY.public_key()))
    (work / "keys.json").write_text(json.dumps({"keys": [{**made, "kid": "k1"}]}))
    signers = ((KEY, "k1"), (ec.generate_private_key(ec.SECP256R1()), "k1"), (KEY, "k2"))
    tokens = [jwt.encode(CLAIMS, key, "ES256", {"kid": kid}) for key, kid in signers]
    (work / "a.log").write_text("".join(f"token {one} x\n" for one in [*tokens, jws()]))
    found = by_line(scan("--jwks=keys.json", "a.log"))
    assert [found[line]["token"]["signature"] for line in range(4)] == [
        "valid",
        "invalid",
        "valid",
        "unchecked",
    ]
    assert [found[line]["severity"] for line in range(4)] == ["critical", "low", "critical", "high"]


def test_weak_keys(scan, work):
    """A word that signed a token is found and never shown."""
    (work / "a.log").write_text(f"token {signed(b'hunter2-hunter2')}\n")
    (work / "words").write_text("a\nhunter2-hunter2\n")
    result = scan("--weak-keys=words", "a.log")
    (alert,) = result.alerts
    assert (alert["token"]["signature"], alert["severity"]) == ("weak_key", "critical")
    assert b"hunter2" not in result.out + result.err.encode()


def test_the_time_for_words_is_told(scan, work):
    """Tokens for which the time ran out are counted, not passed over in silence."""
    (work / "a.log").write_text("".join(f"token {jws({'n': n})}\n" for n in range(20)))
    (work / "words").write_text("\n".join(f"word-{n}" for n in range(300_000)))
    result = scan("--weak-keys=words", "--weak-keys-time=0.001", "a.log")
    assert "the time for --weak-keys ran out for" in result.err
    assert len(result.alerts) == 20


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--config=no.toml"], "no.toml"),
        (["--config=bad.toml"], "object contains unknown field `alow`"),
        (["--jwks=bad.toml"], "bad.toml: is not JSON"),
        (["--baseline=bad.toml"], "bad.toml: is not a baseline"),
        (["--weak-keys=empty"], "empty: holds no words"),
        (["--write-baseline=no/where.json"], "cannot write"),
    ],
)
def test_wrong_files(scan, work, args, told):
    """What cannot be used is an error that names the file, with exit status 2."""
    (work / "bad.toml").write_text("[[alow]]\n")
    (work / "empty").write_text("")
    (work / "a.log").write_text(f"token {jws()}\n")
    result = scan(*args, "a.log")
    assert (result.status, told in result.err) == (2, True), result.err


def test_the_table_says_what_and_why(run, logs):
    """The table for people shows provider, use and the reasons of the severity."""
    out = run(
        "scan", f"--now={NOW}", "--format=table", "app.log", env={"COLUMNS": "160"}
    ).out.decode()
    assert "supabase anon" in out
    assert "published key" in out
    assert "public by design" in out


def test_inspect_says_all_of_it(run, logs):
    """One token with everything: provider, use, why, weaknesses with references, advice, verdict of
    the keys.
    """
    (logs / "words").write_text("a throw-away key of the test suite\n")
    token = jws(
        {"iss": "https://idp.test/realms/a", "typ": "Offline", "email": "x@y.test", "iat": NOW},
        jku="https://evil.test/",
    )
    out = run("inspect", f"--now={NOW}", "--weak-keys=words", stdin=token.encode()).out.decode()
    for text in (
        "provider:     keycloak",
        "use:          offline",
        "why:          no_expiry, weak_key",
        "signature:    weak_key",
        "weakness:     jku_header: its header names a URL",
        "weakness:     personal_data:email:",
        "weakness:     no_exp: ",
        "(RFC 8725 section 3.10, CWE-613)",
        "advice:       replace the signing key",
        "advice:       revoke the offline access",
    ):
        assert text in out
    assert "evil.test" not in out
    assert "x@y.test" not in out
