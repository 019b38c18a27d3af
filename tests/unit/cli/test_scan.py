"""`jwtleak scan`, as a user runs it."""

from __future__ import annotations

import pytest
from minting import NOW, detached, jws, sha256, unsecured


def line(token: str, n: int = 0) -> str:
    """A line of an access log with a token in its URL."""
    return f'10.0.0.{n % 256} - - [15/Jan/2026:11:59:30 +0000] "GET /cb?access_token={token} HTTP/1.1" 200 {n}\n'  # noqa: E501


# --- exit statuses and the simplest output


def test_clean(scan, work):
    """Nothing found: status 0, nothing on standard output, nothing said."""
    (work / "a.log").write_text("nothing here\n")
    assert scan(".") == (0, b"", "")


def test_found(scan, work):
    """A token in a file: status 1, one line of JSON that says where it stands."""
    token = jws()
    (work / "a.log").write_text("first line\n" + line(token))
    result = scan("a.log")
    assert (result.status, result.err, len(result.alerts)) == (1, "", 1)
    alert = result.alerts[0]
    assert alert["token"]["sha256"] == sha256(token)
    assert alert["token"]["status"] == "live"
    assert alert["channel"] == {"type": "url_query", "name": "access_token"}
    assert (alert["location"]["path"], alert["location"]["line"]) == ("a.log", 2)
    assert alert["live_when_logged"] is True


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (["--frob"], "no such option '--frob'"),
        (["--jobs", "0"], "0 is not in the range"),
        (["--max-token", "1"], "--max-token must be from 64 to 65536"),
        (["--max-ratio", "x"], "'x' is not a valid integer"),
        (["--max-archive-bytes", "many"], "'many' is not a size such as 65536, 64k or 2g"),
        (["--now", "yesterday"], "'yesterday' is not a time such as 2026-01-15T12:00:00Z"),
        (["--status", "dead"], "'dead' is not one of"),
        (["-", "a"], "- (standard input) cannot be scanned together with files"),
        (["--include", "[z-a]", "."], "invalid glob"),
        (
            ["--output", "/nowhere/at/all", "."],
            "cannot write /nowhere/at/all: no such file or directory",
        ),
        (["--patterns", "/nowhere", "."], "directory '/nowhere' does not exist"),
    ],
)
def test_wrong_usage(run, args, says):
    """Wrong usage: status 2, one line of error in lower case without a full stop, and perhaps a
    hint.
    """
    result = run("scan", *args)
    first, *rest = result.err.splitlines()
    assert (result.status, result.out) == (2, b"")
    assert first.startswith("jwtleak: error: ")
    assert says in first
    assert first[len("jwtleak: error: ")].islower() or not first[len("jwtleak: error: ")].isalpha()
    assert not first.endswith(".")
    assert all(one.startswith("jwtleak: hint: ") for one in rest)


# --- what is selected


def test_help_states_the_statuses(run):
    """`--help` says what each exit status means."""
    text = " ".join(run("scan", "--help").out.decode().split())
    assert (
        "Exit status: 0 clean, 1 leaks found (see --fail-on), 2 wrong usage, 3 no leaks but" in text
    )


@pytest.fixture
def varied(work) -> dict[str, str]:
    """One file with a live token, an expired one, one without expiry, an unsigned and a detached
    one.
    """
    tokens = {
        "live": jws(),
        "expired": jws({"exp": NOW - 9999, "iss": "e"}),
        "no_expiry": jws({"iss": "n"}),
        "unsigned": unsecured({"exp": NOW + 60, "iss": "u"}),
        "detached": detached(),
    }
    (work / "a.log").write_text("".join(map(line, tokens.values())))
    return tokens


def found(result) -> set[str]:
    """The fingerprints in a result."""
    return {alert["token"]["sha256"] for alert in result.alerts}


def test_by_status(scan, varied):
    """`--status` keeps the tokens of the statuses named."""
    assert found(scan("--status", "expired", ".")) == {sha256(varied["expired"])}
    both = scan("--status", "expired", "--status", "live", ".")
    assert found(both) == {sha256(varied[name]) for name in ("expired", "live", "unsigned")}


def test_by_severity(scan, varied):
    """`--min-severity` leaves out what matters less, and then it is no leak either."""
    everything = scan(".").alerts
    severe = {
        one["token"]["sha256"] for one in everything if one["severity"] in ("critical", "high")
    }
    assert (
        found(scan("--min-severity", "high", "."))
        == severe
        < {one["token"]["sha256"] for one in everything}
    )


def test_by_confidence(scan, work):
    """`--min-confidence` is medium unless given."""
    (work / "a").write_text(
        "eyJhbGciOiJIUzI1NiJ9.e30.signature and " + unsecured() + " and " + jws() + "\n"
    )
    counts = [
        len(scan("--min-confidence", least, ".").alerts) for least in ("high", "medium", "low")
    ]
    assert counts == sorted(counts)
    assert counts[0] == 1
    assert len(scan(".").alerts) == counts[1]


def test_fail_on(scan, varied):
    """`--fail-on` narrows what makes the status 1; alerts are shown all the same."""
    assert scan("--status", "expired", "--fail-on", "critical", ".").status == 0
    assert scan("--fail-on", "high", ".").status == 1
    never = scan("--fail-on", "never", ".")
    assert (never.status, len(never.alerts)) == (0, len(varied))


def test_include_and_exclude(scan, work):
    """`--include` and `--exclude` choose by name; exclude wins."""
    for name in ("a.log", "b.log", "c.txt"):
        (work / name).write_text(jws({"iss": name}))
    chosen = scan("--include", "*.log", "--exclude", "b*", ".")
    assert [one["location"]["path"] for one in chosen.alerts] == ["./a.log"]


def test_now_and_leeway(run, work):
    """`--now` and `--leeway` decide whether a token has expired."""
    (work / "a").write_text(jws({"exp": NOW}))
    states = [
        run("scan", "--now", when, "--leeway", leeway, ".").alerts[0]["token"]["status"]
        for when, leeway in [
            ("2026-01-15T12:00:30Z", "60"),
            ("2026-01-15T12:00:30Z", "0"),
            (str(NOW + 61), "60"),
        ]
    ]
    assert states == ["live", "expired", "expired"]


def test_grouping_and_every(scan, work):
    """A token that stands three times in a file is one alert with three sightings, or three with
    `--every`.
    """
    (work / "a.log").write_text(line(jws()) * 3)
    (work / "b.log").write_text("another file\n" + line(jws()))
    grouped = scan(".").alerts
    assert [one["sightings"]["count"] for one in grouped] == [3, 1]
    assert grouped[0]["sightings"]["last_offset"] > grouped[0]["sightings"]["first_offset"]
    every = scan("--every", ".").alerts
    assert [one["location"]["line"] for one in every] == [1, 2, 3, 2]
    assert len({one["id"] for one in every}) == 4


def test_max_token(scan, work):
    """A token longer than `--max-token` is incomplete."""
    (work / "a").write_text(jws({"iss": "x", "pad": "y" * 500, "exp": NOW + 9}) + "\n")
    assert scan(".").alerts[0]["token"]["status"] == "live"
    assert [one["token"]["status"] for one in scan("--max-token", "128", ".").alerts] in (
        [],
        ["incomplete"],
    )


# --- where alerts go


def test_output_file(scan, work):
    """`--output` writes a file that only its owner may read; nothing is left for standard
    output.
    """
    (work / "a").write_text(jws())
    target = work.parent / "alerts.json"
    target.write_text("old content, longer than nothing")
    target.chmod(0o600)
    result = scan("--output", str(target), ".")
    assert (result.status, result.out) == (1, b"")
    assert sha256(jws()) in target.read_text()
    target.unlink()
    scan("--output", str(target), "--format", "table", ".")
    assert target.stat().st_mode & 0o777 == 0o600
    assert "live" in target.read_text()
