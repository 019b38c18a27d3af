"""Credentials, read from where they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from jwtleak.errors import UsageError
from jwtleak.secret import Secret
from jwtleak.sinks.credential import Credential, credential, refuse_in_the_clear, url_kept_elsewhere
from jwtleak.sinks.settings import SinkSettings


def test_it_is_read_from_each_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment variable, a file, a systemd credential; white space around it is not part of
    it.
    """
    (tmp_path / "hec").write_text(" from-file\n")
    monkeypatch.setenv("HEC", "from-env")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for settings, value in (
        (SinkSettings(url="stdout", token_env="HEC"), b"from-env"),
        (SinkSettings(url="stdout", token_file=str(tmp_path / "hec")), b"from-file"),
        (SinkSettings(url="stdout", token_credential="hec"), b"from-file"),
    ):
        found = credential(settings)
        assert found is not None
        assert found.value() == Secret(value)
        assert value.decode() not in repr(found)
    assert credential(SinkSettings(url="stdout")) is None


def test_it_is_read_again_after_it_was_refused(tmp_path: Path) -> None:
    """A renewed file is used; until then the old value is."""
    path = tmp_path / "token"
    path.write_text("old")
    kept = Credential("file", str(path))
    assert kept.value() == Secret(b"old")
    path.write_text("new")
    assert kept.value() == Secret(b"old")
    assert kept.known() == (Secret(b"old"),)
    kept.forget()
    assert kept.known() == ()
    assert kept.value() == Secret(b"new")


@pytest.mark.parametrize(
    "content", [b"", b" \n", b"two\nlines", b"\xc3\xa9", b"x" * 20_000, b"a\0b"]
)
def test_what_is_no_credential_is_refused(tmp_path: Path, content: bytes) -> None:
    """It becomes a header: one line of printable ASCII. The error names the file, not what is in
    it.
    """
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="token: holds no credential") as caught:
        Credential("file", str(path)).value()
    assert "two" not in str(caught.value)


@pytest.mark.parametrize(
    ("where", "name", "says"),
    [
        ("env", "NOT_SET_ANYWHERE", "environment variable NOT_SET_ANYWHERE: is not set"),
        ("file", "/does/not/exist", "/does/not/exist: cannot be read: no such file or directory"),
        ("credential", "x", "no such systemd credential"),
        ("credential", "../x", "no such systemd credential"),
    ],
)
def test_what_is_missing_is_named(
    where: str, name: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says where it was looked for."""
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(UsageError, match=says):
        Credential(where, name).value()


def test_the_clear_is_for_this_machine_only() -> None:
    """A credential crosses a network encrypted or not at all."""
    for url in ("hec+https://h", "hec+http://127.0.0.1:1", "nats+tls://h/s"):
        refuse_in_the_clear(SinkSettings(url=url), secret=True)
    refuse_in_the_clear(SinkSettings(url="otlp+http://h"), secret=False)
    with pytest.raises(UsageError, match="only over TLS, or to this machine"):
        refuse_in_the_clear(SinkSettings(url="hec+http://h"), secret=True)


def test_a_url_may_be_a_credential(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """That of a chat's webhook is kept like one."""
    monkeypatch.setenv("SLACK", "https://hooks.test/T/B/x")
    kept = url_kept_elsewhere(SinkSettings(url_env="SLACK"))
    assert kept is not None
    assert kept.value() == Secret(b"https://hooks.test/T/B/x")
    assert url_kept_elsewhere(SinkSettings(url_file=str(tmp_path))) is not None
    assert url_kept_elsewhere(SinkSettings(url="stdout")) is None
