"""etc/examples: what is there is right, as far as can be told without a cluster."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from forkhttpd.config.load import load
from tests.programs.peers import need

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "etc/examples"
INSTRUCTIONS = {"ARG", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "RUN", "STOPSIGNAL", "USER"}


def test_haproxy_takes_its_configuration() -> None:
    haproxy = need("haproxy", package="haproxy")
    done = subprocess.run(
        [haproxy, "-c", "-f", str(EXAMPLES / "haproxy.cfg")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()


def test_the_configuration_that_haproxy_wants_of_a_server_is_right(tmp_path: Path) -> None:
    text = (EXAMPLES / "haproxy.cfg").read_text()
    lines = re.findall(r"^#     (.+?)(?:  +.*)?$", text, re.MULTILINE)
    (tmp_path / "node.conf").write_text(
        "\n".join(
            [lines[0], '[[listen]]\naddress = "0.0.0.0:8080"', lines[1], lines[2], "[[site]]"]
        )
        + "\n"
        + "\n".join(lines[3:])
        + "\n"
    )
    config = load(tmp_path / "node.conf")
    assert config.timeouts.lame_duck == 5.0
    assert [mount.show for _, mount in config.mounts()] == ["ready"]


def manifests() -> dict[str, dict[str, Any]]:
    text = (EXAMPLES / "kubernetes.yaml").read_text()
    return {one["kind"]: one for one in yaml.safe_load_all(text)}


def container() -> dict[str, Any]:
    (found,) = manifests()["Deployment"]["spec"]["template"]["spec"]["containers"]
    return dict(found)


def test_every_manifest_says_what_it_is_and_the_selectors_find_the_pods() -> None:
    found = manifests()
    assert set(found) == {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget"}
    assert all(one["apiVersion"] and one["metadata"]["name"] for one in found.values())
    labels = found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["Deployment"]["spec"]["selector"]["matchLabels"] == labels
    assert found["Service"]["spec"]["selector"] == labels
    assert found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels


def test_the_pod_has_no_more_rights_than_it_needs() -> None:
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"] is True
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    volumes = {volume["name"] for volume in pod["volumes"]}
    assert {mount["name"] for mount in container()["volumeMounts"]} == volumes


def test_probes_and_ports_are_those_of_the_configuration() -> None:
    config = load(EXAMPLES / "container.conf")
    paths = {mount.show: mount.path for _, mount in config.mounts() if mount.show}
    (port,) = container()["ports"]
    assert port["containerPort"] == config.listen[0].address.port
    for probe in ("startupProbe", "readinessProbe"):
        assert container()[probe]["httpGet"] == {"path": paths["ready"], "port": port["name"]}
    # A pod that drains says no to whoever asks whether it is ready, and must not be killed for it.
    assert container()["livenessProbe"]["tcpSocket"] == {"port": port["name"]}
    notes = manifests()["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert notes["prometheus.io/path"] == paths["metrics"]
    mounted = {mount["mountPath"] for mount in container()["volumeMounts"]}
    assert config.pid_file is not None
    assert str(config.pid_file.parent) in mounted


def test_nobody_is_killed_before_the_stop_is_over() -> None:
    config = load(EXAMPLES / "container.conf")
    pod = manifests()["Deployment"]["spec"]["template"]["spec"]
    waits = float(container()["lifecycle"]["preStop"]["exec"]["command"][1])
    needed = waits + config.timeouts.lame_duck + config.timeouts.graceful
    assert pod["terminationGracePeriodSeconds"] > needed
    probe = container()["readinessProbe"]
    assert config.timeouts.lame_duck > probe["periodSeconds"] * probe["failureThreshold"]


def containerfile() -> list[tuple[str, str]]:
    text = (EXAMPLES / "Containerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines]


def test_the_containerfile_copies_what_there_is_and_runs_as_nobody() -> None:
    found = containerfile()
    assert {name for name, _ in found} <= INSTRUCTIONS
    assert found[0][0] == "FROM"
    copied = [words.split() for name, words in found if name == "COPY" and "--from=" not in words]
    sources = [source for *sources, _ in copied for source in sources]
    assert sources
    assert [source for source in sources if not (ROOT / source).exists()] == []
    values = dict(found)
    assert int(values["USER"].partition(":")[0]) > 0
    assert json.loads(values["ENTRYPOINT"])[1:] == ["-c", "/etc/forkhttpd/forkhttpd.conf"]
    assert int(values["EXPOSE"]) == load(EXAMPLES / "container.conf").listen[0].address.port


def test_the_build_has_all_that_the_package_is_made_from() -> None:
    """pyproject.toml names files; the build stage has to have them, too."""
    project = (ROOT / "pyproject.toml").read_text()
    named = {*re.findall(r'^(?:readme = |license = \{ file = )"(.+?)"', project, re.MULTILINE)}
    copied = " ".join(words for name, words in containerfile() if name == "COPY")
    assert named
    assert [name for name in named if name not in copied] == []


@pytest.mark.parametrize("name", ["haproxy.cfg", "kubernetes.yaml", "Containerfile"])
def test_no_line_has_a_tab_or_a_space_at_its_end(name: str) -> None:
    lines = (EXAMPLES / name).read_text().splitlines()
    assert [line for line in lines if "\t" in line or line != line.rstrip()] == []
