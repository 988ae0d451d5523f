"""Image, compose file and Kubernetes manifests, as far as they can be read without an engine."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from app import __version__
from app.settings import Settings

ROOT = Path(__file__).parents[2]
MANIFESTS = sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
CITUS = yaml.safe_load((ROOT / "deploy" / "compose.citus.yaml").read_text("utf-8"))
VALIDATE = """
import sys, yaml, kubernetes_validate
for path in sys.argv[1:]:
    for document in yaml.safe_load_all(open(path)):
        if document["kind"] != "Kustomization":
            kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
"""


def documents() -> list[Any]:
    return [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text("utf-8"))]


def find(kind: str, name: str = "telemetry") -> Any:
    return next(each for each in documents() if each["kind"] == kind and each["metadata"]["name"] == name)


@pytest.fixture
def pod() -> Any:
    return find("StatefulSet")["spec"]["template"]["spec"]


def test_settings_that_are_named_exist(pod: Any) -> None:
    readme = (ROOT / "deploy" / "kubernetes" / "README.md").read_text("utf-8")
    named = {each["name"] for each in pod["containers"][0]["env"]}
    named |= set(re.findall(r"literal=(TELEMETRY_\w+)=", readme))
    named |= set(COMPOSE["services"]["telemetry"]["environment"])
    named |= set(re.findall(r"^ *(?:ENV .*)?(TELEMETRY_\w+)=", DOCKERFILE, re.MULTILINE))
    assert named <= {f"TELEMETRY_{name.upper()}" for name in Settings.model_fields}
    assert {"TELEMETRY_DATABASE_URL", "TELEMETRY_HASH_KEY"} <= named


def test_the_user_is_a_number_and_the_same_everywhere(pod: Any) -> None:
    (user,) = re.findall(r"^USER (\d+):(\d+)$", DOCKERFILE, re.MULTILINE)
    context = pod["securityContext"]
    assert user == (str(context["runAsUser"]), str(context["runAsGroup"]))
    assert context["runAsNonRoot"] is True
    assert context["fsGroup"] == context["runAsGroup"]
    assert int(user[0]) > 0


def test_the_image_copies_what_there_is() -> None:
    for line in re.findall(r"^COPY (?!--from)(\S+)", DOCKERFILE, re.MULTILINE):
        assert (ROOT / line).exists(), line
        assert f"!{line}" in (ROOT / ".dockerignore").read_text("utf-8"), line


def test_the_image_is_built_on_one_that_is_named() -> None:
    defaults = dict(re.findall(r"^ARG (\w+)=(\S+)$", DOCKERFILE.partition("FROM ")[0], re.MULTILINE))
    bases = re.findall(r"^FROM \$\{(\w+)\}(?: AS \w+)?$", DOCKERFILE, re.MULTILINE)
    assert len(bases) == len(re.findall("^FROM ", DOCKERFILE, re.MULTILINE)) == 2
    assert set(bases) <= defaults.keys()


def test_versions_agree() -> None:
    assert f"ARG VERSION={__version__}\n" in DOCKERFILE
    kustomization = next(each for each in documents() if each["kind"] == "Kustomization")
    assert kustomization["images"][0]["newTag"] == __version__
    listed = {ROOT / "deploy" / "kubernetes" / name for name in kustomization["resources"]}
    assert listed == {path for path in MANIFESTS if path.name != "kustomization.yaml"}


def test_selectors_ports_and_volumes_fit_together(pod: Any) -> None:
    (container,) = pod["containers"]
    labels = find("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    for kind, name in (("Service", "telemetry"), ("Service", "telemetry-pods")):
        service = find(kind, name)["spec"]
        assert service["selector"].items() <= labels.items()
        assert {port["targetPort"] for port in service["ports"]} <= {
            port["name"] for port in container["ports"]
        }
    assert find("StatefulSet")["spec"]["serviceName"] == "telemetry-pods"
    claims = {each["metadata"]["name"] for each in find("StatefulSet")["spec"]["volumeClaimTemplates"]}
    mounted = {each["name"] for each in container["volumeMounts"]}
    assert mounted == claims | {each["name"] for each in pod["volumes"]}
    assert pod["enableServiceLinks"] is False  # TELEMETRY_PORT=tcp://…


def test_the_spools_quota_fits_its_volume(pod: Any) -> None:
    (claim,) = find("StatefulSet")["spec"]["volumeClaimTemplates"]
    environment = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    gigabytes = int(claim["spec"]["resources"]["requests"]["storage"].removesuffix("Gi"))
    assert int(environment["TELEMETRY_SPOOL_MB"]) * 2 < gigabytes * 1024


def test_every_service_of_compose_is_bounded_and_its_log_rotated() -> None:
    for name, service in COMPOSE["services"].items():
        assert service["mem_limit"], name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), volume


def test_compose_limits_no_address_unless_it_is_told_to() -> None:
    """Behind Docker's own proxy everybody is one address."""
    environment = COMPOSE["services"]["telemetry"]["environment"]
    for name in ("TELEMETRY_ADDRESS_RATE", "TELEMETRY_ADDRESS_CONNECTIONS"):
        assert environment[name] == f"${{{name}:-0}}"


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="Debian has it in the package docker-compose")
@pytest.mark.parametrize(
    ("file", "profile"),
    [
        ("compose.yaml", []),
        ("compose.yaml", ["--profile", "proxy"]),
        ("deploy/compose.log.yaml", []),
        ("deploy/compose.citus.yaml", ["--profile", "distribute"]),
    ],
    ids=lambda part: " ".join(part) if isinstance(part, list) else part,
)
def test_compose_takes_the_file(file: str, profile: list[str]) -> None:
    services = yaml.safe_load((ROOT / file).read_text("utf-8"))["services"].values()
    values = [
        value
        for service in services
        for value in (*service.get("environment", {}).values(), *service.get("command", []))
    ]
    needed = [name for value in values for name in re.findall(r"\$\{(\w+):\?", value)]
    path = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    command = ["docker-compose", *profile, "-f", str(ROOT / file), "config", "--quiet"]
    given = subprocess.run(
        command, env=path | dict.fromkeys(needed, "x" * 32), capture_output=True, check=False
    )
    assert given.returncode == 0, given.stderr
    for missing in set(needed):
        environment = path | dict.fromkeys({*needed} - {missing}, "x" * 32)
        refused = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert f"set {missing}" in refused.stderr


@pytest.mark.parametrize("compose", [COMPOSE, CITUS], ids=["plain", "citus"])
def test_secrets_have_no_default(compose: Any) -> None:
    for name in ("TELEMETRY_HASH_KEY", "TELEMETRY_WRITE_KEYS", "TELEMETRY_REPORT_TOKEN"):
        assert compose["services"]["telemetry"]["environment"][name].startswith(f"${{{name}:?")


def test_the_cluster_is_distributed_over_its_own_nodes_in_log_mode() -> None:
    services = CITUS["services"]
    nodes = [name for name, each in services.items() if each.get("image", "").startswith("citusdata/")]
    assert {f"{name}:5432" for name in nodes} < set(services["distribute"]["command"])
    assert services["telemetry"]["environment"]["TELEMETRY_INGEST"] == "log"
    assert set(services["telemetry"]["environment"]) <= {
        f"TELEMETRY_{name.upper()}" for name in Settings.model_fields
    }
    for name in nodes:
        assert "-cshared_preload_libraries=citus" in services[name]["command"]
        assert "-clog_min_error_statement=panic" in services[name]["command"]


@pytest.mark.e2e
def test_kubernetes_schemas_take_the_manifests(tmp_path_factory: pytest.TempPathFactory) -> None:
    kept = os.environ.get("PYAIRBYTE_E2E_ENVIRONMENTS")
    folder = (Path(kept) if kept else tmp_path_factory.mktemp("kubernetes")) / "kubernetes-validate"
    if not (folder / "bin" / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        install = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "-q",
            "kubernetes-validate",
            "PyYAML",
        ]
        subprocess.run(install, check=True)
    ended = subprocess.run(
        [str(folder / "bin" / "python"), "-c", VALIDATE, *map(str, MANIFESTS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
