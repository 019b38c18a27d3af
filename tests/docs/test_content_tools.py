"""Sigma rules and the Splunk add-on by their own tools: sigma-cli and AppInspect, in an environment
of their own.

JWTLEAK_CONTENT names its directory of programs: `pip install sigma-cli
pysigma-backend-elasticsearch pysigma-backend-splunk splunk-appinspect`.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.content

HERE = Path(__file__).resolve().parents[2] / "docs/integrations"
SIMPLE = ["jwt_live_token_leaked.yml", "jwt_in_url.yml", "jwt_alg_none.yml"]


def tool(name: str) -> str:
    """A program of that environment; skips without it, fails in CI."""
    found = shutil.which(name, path=os.environ.get("JWTLEAK_CONTENT", ""))
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"needs {name} in JWTLEAK_CONTENT")
        pytest.skip(f"needs {name} in JWTLEAK_CONTENT")
    return found


def sigma(*args: str) -> str:
    """What sigma-cli prints."""
    done = subprocess.run(
        [tool("sigma"), *args], cwd=HERE / "sigma", capture_output=True, check=True, timeout=300
    )
    return done.stdout.decode() + done.stderr.decode()


def test_sigma_finds_no_fault() -> None:
    """No error and no issue in any rule."""
    rules = [path.name for path in (HERE / "sigma").glob("jwt*.yml")]
    assert "Found 0 errors, 0 condition errors and 0 issues" in sigma(
        "check", "--validation-config", "validation.yml", *rules
    )


def test_sigma_finds_a_fault(tmp_path: Path) -> None:
    """A rule that is broken is found."""
    text = (HERE / "sigma/jwt_in_url.yml").read_text(encoding="utf-8")
    (tmp_path / "broken.yml").write_text(text.replace("condition: selection", "condition: nothing"))
    with pytest.raises(subprocess.CalledProcessError):
        sigma("check", "--validation-config", "validation.yml", str(tmp_path / "broken.yml"))


@pytest.mark.parametrize("target", ["lucene", "esql", "splunk"])
def test_sigma_converts(target: str) -> None:
    """Rules become queries; correlations too where the language has them."""
    rules = SIMPLE if target == "lucene" else [*SIMPLE, "jwt_many_hosts.yml"]
    text = sigma("convert", "-t", target, "--without-pipeline", *rules)
    for word in (
        "no_expiry",
        "url_fragment",
        "unsecured",
        *(["jwtleak.fingerprint"] if target != "lucene" else []),
    ):
        assert word in text


def test_appinspect_finds_no_fault(tmp_path: Path) -> None:
    """The add-on has no error, no failure and no warning."""
    report = tmp_path / "report.json"
    addon = shutil.copytree(HERE / "splunk/TA-jwtleak", tmp_path / "TA-jwtleak")
    command = [tool("splunk-appinspect"), "inspect", str(addon), "--mode", "precert"]
    subprocess.run(
        [*command, "--data-format", "json", "--output-file", str(report)],
        capture_output=True,
        check=True,
        timeout=600,
    )
    summary = json.loads(report.read_text(encoding="utf-8"))["summary"]
    assert (summary["error"], summary["failure"], summary["warning"]) == (0, 0, 0)
    assert summary["success"] > 50
