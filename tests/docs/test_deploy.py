"""docs/deploy: units, images and rules, checked by the programs that read them, and for what no
program checks.
"""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from programs import missing, program

from jwtleak.cli.tail import command, settings_of
from jwtleak.runtime.service.endpoint import parse
from jwtleak.runtime.service.metrics import DECLARED
from jwtleak.runtime.tail.session import check


@pytest.fixture
def deploy(root: Path) -> Path:
    """The directory of the files."""
    return root / "docs/deploy"


def run(*command: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a program says."""
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def unit(deploy: Path) -> dict[str, dict[str, list[str]]]:
    """The unit: section, key, every value."""
    sections: dict[str, dict[str, list[str]]] = {}
    name = ""
    for line in (deploy / "jwtleak.service").read_text().splitlines():
        if line.startswith("["):
            name = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            sections.setdefault(name, {}).setdefault(key, []).append(value)
    return sections


def manifests(deploy: Path) -> dict[str, Any]:
    """The Kubernetes objects by kind."""
    return {
        one["kind"]: one for one in yaml.safe_load_all((deploy / "kubernetes.yaml").read_text())
    }


@pytest.mark.receivers
def test_systemd_reads_the_unit(deploy: Path, tmp_path: Path) -> None:
    """systemd knows every line of the unit, finds nothing to complain of, and rates its exposure as
    low.
    """
    analyze = program("systemd-analyze")
    there = tmp_path / "jwtleak.service"
    # The program is not installed where this runs.
    there.write_text(
        (deploy / "jwtleak.service").read_text().replace("/usr/bin/jwtleak", "/bin/true")
    )
    done = run(analyze, "verify", "--man=no", there)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    done = run(analyze, "security", "--offline=true", "--threshold=20", there)
    assert done.returncode == 0, done.stdout


def test_the_unit_keeps_its_promises(deploy: Path) -> None:
    """The service is told apart from dead by the watchdog, is nobody in particular, and writes to
    its own directories only.
    """
    service = unit(deploy)["Service"]
    assert service["Type"] == ["notify"]
    assert float(service["WatchdogSec"][0]) > 0
    assert service["DynamicUser"] == ["yes"]
    assert service["ProtectSystem"] == ["strict"]
    assert "ReadWritePaths" not in service
    assert service["CapabilityBoundingSet"] == [""]
    assert "MemoryMax" in service
    assert service["ExecReload"] == ["/bin/kill -HUP $MAINPID"]


@pytest.mark.receivers
def test_kubernetes_reads_the_manifests(deploy: Path) -> None:
    """Every object has only fields that Kubernetes knows, with the types it wants."""
    try:
        import kubernetes_validate
    except ImportError:
        missing("kubernetes-validate")
    for one in manifests(deploy).values():
        kubernetes_validate.validate(one, "1.31", strict=True)


def test_the_daemonset_keeps_its_promises(deploy: Path) -> None:
    """Logs are mounted to be read only; state outlives the pod; probes ask for what is served;
    memory is bounded.
    """
    pod = manifests(deploy)["DaemonSet"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    writable = [one["name"] for one in container["volumeMounts"] if not one.get("readOnly")]
    assert writable == ["state"]
    assert "hostPath" in volumes["state"]
    assert {one["name"] for one in container["volumeMounts"]} == set(volumes)
    asked = {
        container[probe]["httpGet"]["path"]
        for probe in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == {"/healthz", "/readyz"}
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]
    assert pod["automountServiceAccountToken"] is False
    labels = manifests(deploy)["DaemonSet"]["spec"]
    assert (
        labels["selector"]["matchLabels"].items()
        <= labels["template"]["metadata"]["labels"].items()
    )


@pytest.mark.receivers
def test_logrotate_reads_the_snippet(deploy: Path, tmp_path: Path) -> None:
    """logrotate accepts every line, and rotates the alerts of a sink without cutting them."""
    directory = tmp_path / "log"
    directory.mkdir(mode=0o755)
    alerts = directory / "alerts.jsonl"
    alerts.write_text("{}\n")
    snippet = tmp_path / "snippet"
    snippet.write_text(
        (deploy / "logrotate.conf").read_text().replace("/var/log/jwtleak", str(directory))
    )
    snippet.chmod(0o644)
    logrotate = program("logrotate")
    done = run(logrotate, "-d", "-s", tmp_path / "state", snippet)
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr
    assert "Handling 1 logs" in done.stderr
    inode = alerts.stat().st_ino
    done = run(logrotate, "-f", "-s", tmp_path / "state", snippet)
    assert done.returncode == 0, done.stderr
    assert not alerts.exists()
    assert (directory / "alerts.jsonl.1").stat().st_ino == inode


@pytest.mark.receivers
def test_prometheus_reads_the_rules(deploy: Path) -> None:
    """promtool accepts every rule."""
    done = run(program("promtool"), "check", "rules", deploy / "prometheus-rules.yaml")
    assert done.returncode == 0, done.stderr


def test_rules_ask_for_what_is_declared(deploy: Path) -> None:
    """Every metric and label in a rule is one that the program has."""
    labels = {one.name: set(one.labels) for one in DECLARED}
    document = yaml.safe_load((deploy / "prometheus-rules.yaml").read_text())
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules)
    for rule in rules:
        told = " ".join(rule["annotations"].values())
        for name, matcher in re.findall(r"(jwtleak_\w+)(?:\{(\w+))?", rule["expr"]):
            assert name in labels
            assert not matcher or matcher in labels[name]
            assert set(re.findall(r"\$labels\.(\w+)", told)) <= labels[name] | {"instance"}


def test_the_image_is_small_and_nobodys(deploy: Path) -> None:
    """The last stage is pinned, has an ordinary user, no installer, and takes from the first only
    what was built.
    """
    text = re.sub(r"\\\n", " ", (deploy / "Dockerfile").read_text())
    lines = [line.split(None, 1) for line in text.splitlines() if line and not line.startswith("#")]
    assert ["ARG", "PYTHON=3.13-slim-bookworm"] in lines
    assert all(rest.startswith("python:${PYTHON}") for word, rest in lines if word == "FROM")
    last = lines[[number for number, (word, _) in enumerate(lines) if word == "FROM"][-1] :]
    words = [word for word, _ in last]
    assert [rest for word, rest in last if word == "COPY"] == [
        "--from=build /opt/jwtleak /opt/jwtleak"
    ]
    (user,) = [rest for word, rest in last if word == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert words.index("USER") < words.index("ENTRYPOINT")
    (prepare,) = [rest for word, rest in last if word == "RUN"]
    assert "pip uninstall --yes pip" in prepare
    assert not re.search(r"apt|curl|wget|pip install", prepare)
    assert "ADD" not in [word for word, _ in lines]


def test_the_image_copies_what_the_build_needs(deploy: Path, root: Path) -> None:
    """Everything that the first stage copies is there, and everything that the wheel is made of is
    copied.
    """
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (deploy / "Dockerfile").read_text(), re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    assert all((root / name).exists() for name in names)
    project = tomllib.loads((root / "pyproject.toml").read_text())
    built = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        *built["packages"],
        *built["force-include"],
        project["project"]["readme"],
        *project["project"]["license-files"],
    }
    assert needed <= names


def test_the_program_takes_its_options_and_configurations(deploy: Path, tmp_path: Path) -> None:
    """Every option that the unit and the DaemonSet give exists, and their configurations are ones
    that can work.
    """
    (container,) = manifests(deploy)["DaemonSet"]["spec"]["template"]["spec"]["containers"]
    unit_words = unit(deploy)["Service"]["ExecStart"][0].split()[1:]
    texts = (
        (deploy / "jwtleak.toml").read_text(),
        manifests(deploy)["ConfigMap"]["data"]["jwtleak.toml"],
    )
    for text, words in zip(texts, (unit_words, container["args"]), strict=True):
        config = tmp_path / "jwtleak.toml"
        config.write_text(text)
        assert words[0] == "tail"
        given = command.make_context(
            "tail", [str(config) if word.endswith(".toml") else word for word in words[1:]]
        ).params
        given.pop("once")
        settings = settings_of(given)
        check(settings)
        assert settings.tail.paths
        assert settings.sinks
        assert parse(settings.metrics).port == 9464
