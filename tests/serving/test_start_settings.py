"""Settings, secrets and folders that are wrong in one more way: one line that says what to
do, or a service that starts."""

import errno
import os
import re
import socket
from pathlib import Path

import httpx
import pytest

from app.admin.doctor import examine
from app.problems import TelemetryError
from app.serving import sockets
from app.settings import Settings, find_unknown, load_settings
from tests.samples import basic, clean_event
from tests.service import Service
from tests.serving.starting import CANARY, fail

WRONG = {
    "port out of range": ({"TELEMETRY_PORT": "70000"}, "TELEMETRY_PORT: "),
    "negative port": ({"TELEMETRY_PORT": "-1"}, "TELEMETRY_PORT: "),
    "port of a name": ({"TELEMETRY_PORT": "8000/tcp"}, "TELEMETRY_PORT: "),
    "no worker": ({"TELEMETRY_WORKERS": "0"}, "TELEMETRY_WORKERS: "),
    "half a worker": ({"TELEMETRY_WORKERS": "1.5"}, "TELEMETRY_WORKERS: "),
    "a URL for a host": (
        {"TELEMETRY_HOST": f"http://me:{CANARY}@a.invalid"},
        "Cannot listen on TELEMETRY_HOST (not a URL",
    ),
    "an address of another machine": ({"TELEMETRY_HOST": "192.0.2.1"}, "Cannot listen on 192.0.2.1:"),
    "an IPv6 address of another machine": (
        {"TELEMETRY_HOST": "[2001:db8::1]"},
        "Cannot listen on [2001:db8::1]:",
    ),
    "ingest": ({"TELEMETRY_INGEST": "queue"}, "TELEMETRY_INGEST: "),
    "log level": ({"TELEMETRY_LOG_LEVEL": "loud"}, "TELEMETRY_LOG_LEVEL: "),
    "proxies": ({"TELEMETRY_TRUSTED_PROXIES": "proxy.example"}, "TELEMETRY_TRUSTED_PROXIES: "),
    "two equal tokens": (
        {"TELEMETRY_WRITE_KEYS": f"{CANARY}{CANARY}", "TELEMETRY_REPORT_TOKEN": f"{CANARY}{CANARY}"},
        "must all differ",
    ),
    "token of 19 characters": ({"TELEMETRY_REPORT_TOKEN": CANARY + "123456789"}, "at least 20 characters"),
    "write key of 19 characters": (
        {"TELEMETRY_WRITE_KEYS": CANARY + "123456789:ingest"},
        "at least 20 characters",
    ),
    "a key of other bytes": ({"TELEMETRY_HASH_KEY": "\udcff" * 40}, "TELEMETRY_HASH_KEY is no text"),
    "a URL of other bytes": (
        {"TELEMETRY_DATABASE_URL": f"postgresql://u:\udcff{CANARY}@127.0.0.1/x"},
        "TELEMETRY_DATABASE_URL is no text",
    ),
    "data dir that is a file": (
        {"TELEMETRY_DATA_DIR": "/etc/passwd", "TELEMETRY_REPORT_TOKEN": ""},
        "DATA_DIR",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_one_line(case: str, database_url: str, tmp_path: Path) -> None:
    changed, said = WRONG[case]
    service = Service(tmp_path, database_url, changed)
    line = fail(service, "serve")
    assert said in line, line
    if "Cannot listen" not in said:  # `doctor` does not listen
        examined = service.run("doctor")
        assert examined.returncode == 1
        assert "Traceback" not in examined.stderr


CONTENTS = {
    "empty": (b"", "names an empty file"),
    "a line end only": (b"\r\n", "names an empty file"),
    "short": (b"S3cretPart\n", "at least 20 characters"),
    "two lines": (b"S3cretPart-S3cretPart\nS3cretPart\n", "printable ASCII"),
    "UTF-16": ("S3cretPart-S3cretPart".encode("utf-16"), "cannot be read (UnicodeDecodeError)"),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_a_file_that_holds_no_secret_is_named(case: str, database_url: str, tmp_path: Path) -> None:
    content, said = CONTENTS[case]
    file = tmp_path / "token"
    file.write_bytes(content)
    service = Service(
        tmp_path, database_url, {"TELEMETRY_REPORT_TOKEN": "", "TELEMETRY_REPORT_TOKEN_FILE": str(file)}
    )
    line = fail(service, "serve")
    assert said in line
    assert "TELEMETRY_REPORT_TOKEN" in line


def test_files_of_secrets_may_be_no_files(database_url: str, tmp_path: Path) -> None:
    for file in (tmp_path, tmp_path / "missing"):
        service = Service(
            tmp_path, database_url, {"TELEMETRY_HASH_KEY": "", "TELEMETRY_HASH_KEY_FILE": str(file)}
        )
        assert "TELEMETRY_HASH_KEY_FILE cannot be read" in fail(service, "serve")


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_secrets_are_the_same_whatever_the_editor_left(
    ending: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_bytes(b"\xef\xbb\xbf" * (ending == b"\r\n") + b"k" * 40 + ending)
    monkeypatch.setenv("TELEMETRY_HASH_KEY_FILE", str(tmp_path / "key"))
    key = load_settings().hash_key
    assert key is not None
    assert key.get_secret_value() == "k" * 40


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
def test_a_secret_of_the_environment_is_the_one_of_a_file(
    ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TELEMETRY_HASH_KEY", "k" * 40 + ending)
    key = load_settings().hash_key
    assert key is not None
    assert key.get_secret_value() == "k" * 40


REFUSED = {
    "TELEMETRY_HASH_KEY": (" " * 40, " k" * 4 + " " * 40),
    "TELEMETRY_REPORT_TOKEN": ("\n", "\r\n", " " * 30),
    "TELEMETRY_HOSTS": (
        "https://telemetry.example.org",
        "telemetry.example.org:443",
        "a/b",
        "münchen.example",
    ),
    "TELEMETRY_PATH_PREFIX": ("telemetry", "//telemetry", "/v1/x", "/a//b", "/..", "/a b"),
    "TELEMETRY_DEADLINE_MS": ("1s", "0"),
    "TELEMETRY_LIMIT_LOOPBACK": ("maybe",),
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, each in REFUSED.items() for value in each]
)
def test_what_a_setting_cannot_mean_is_refused_by_its_name(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(TelemetryError, match=name) as refused:
        load_settings()
    assert "telemetry.example.org:443" not in str(refused.value)


@pytest.mark.parametrize("hosts", ["a.example, b_c.example.,[2001:db8::1], 10.0.0.1", "localhost", ","])
def test_names_of_hosts_are_taken(hosts: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_HOSTS", hosts)
    assert load_settings().hosts == hosts


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe" * 20])
def test_a_damaged_secret_of_the_data_directory_is_no_secret(
    content: bytes, database_url: str, tmp_path: Path
) -> None:
    service = Service(tmp_path, database_url, {"TELEMETRY_REPORT_TOKEN": ""})
    service.data_dir.mkdir()
    file = service.data_dir / "report-token"
    file.write_bytes(content)
    assert "report-token of the data directory is empty or damaged" in fail(service, "serve")
    assert "report-token" in service.run("doctor").stdout.replace("\n", " ")
    assert file.read_bytes() == content


def test_unknown_settings_are_named_with_the_nearest(monkeypatch: pytest.MonkeyPatch) -> None:
    links = {
        "TELEMETRY_POSTGRES_SERVICE_HOST": "10.0.0.1",
        "TELEMETRY_POSTGRES_SERVICE_PORT_HTTP": "5432",
        "TELEMETRY_POSTGRES_PORT": "tcp://10.0.0.1:5432",
        "TELEMETRY_POSTGRES_PORT_5432_TCP_PROTO": "tcp",
        "TELEMETRY_SERVICE_PORT": "1",
    }
    assert find_unknown(links) == []
    assert find_unknown({"telemetry_port": "1", "Telemetry_Hash_Key": "1", "OTHER_PORT": "2"}) == []
    nearest = {
        "TELEMETRY_POSTGRES_PORT": "",
        "TELEMETRY_HASHKEY": "TELEMETRY_HASH_KEY",
        "TELEMETRY_HASH_KEY_FIEL": "TELEMETRY_HASH_KEY_FILE",
        "telemetry_prot": "TELEMETRY_PORT",
        "TELEMETRY_WRITE_KEY": "TELEMETRY_WRITE_KEYS",
        "TELEMETRY_ADDRESS_RATES": "TELEMETRY_ADDRESS_RATE",
        "TELEMETRY_PORT_FILE": "",
    }
    for name, near in nearest.items():
        (said,) = find_unknown({name: "8000"})
        assert said.startswith(f"{name} is no setting.")
        assert near in said


@pytest.mark.parametrize("value", ["tcp://10.96.12.7:8000", "udp://10.96.12.7:53", "sctp://10.0.0.1:1"])
def test_links_of_every_protocol_are_no_port(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TELEMETRY_PORT", value)
    assert load_settings().port == 8000
    assert any("Kubernetes" in said for said in find_unknown(os.environ))


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "[::1]", "::", "0.0.0.0"])
def test_addresses_of_both_families_are_listened_on(host: str) -> None:
    if ":" in host and not has_ipv6():
        pytest.skip("no IPv6 here")
    with sockets.listen(host, 0) as listener, socket.create_connection(listener.getsockname()[:2]):
        assert sockets.has_waiting([listener])


def test_a_family_that_the_system_lacks_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_named: object) -> socket.socket:
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))

    monkeypatch.setattr(socket, "socket", refuse)
    with pytest.raises(TelemetryError, match="not supported by protocol"):
        sockets.listen("::1", 0)


def test_two_workers_start_without_a_data_directory(database_url: str, tmp_path: Path) -> None:
    service = Service(
        tmp_path, database_url, {"TELEMETRY_DATA_DIR": "/proc/telemetry", "TELEMETRY_WORKERS": "2"}
    )
    service.start()
    try:
        assert "telemetry_build_info" in httpx.get(f"{service.url}/metrics", timeout=30).text
        assert httpx.get(f"{service.url}/readyz", timeout=30).json()["status"] == "degraded"
    finally:
        service.stop()
        service.clean_up()


def test_two_services_on_one_data_directory_keep_their_metrics_apart(
    database_url: str, tmp_path: Path
) -> None:
    services = [Service(tmp_path, database_url, {"TELEMETRY_WORKERS": "2"}) for _ in range(2)]
    try:
        for service in services:
            service.start()
        for service in services:
            reply = httpx.post(
                f"{service.url}/v1/track", json=clean_event(), headers=basic(service.write_key), timeout=30
            )
            assert reply.status_code == 200
        for service in services:
            said = httpx.get(f"{service.url}/metrics", timeout=30).text
            outcomes = re.findall(r"^telemetry_events_total\{.*\} ([0-9.]+)$", said, re.MULTILINE)
            assert sum(map(float, outcomes)) == 1, outcomes
    finally:
        for service in services:
            service.stop()
            service.clean_up()


def test_doctor_says_what_it_may_not_look_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "no", str(path))

    settings = Settings(data_dir=tmp_path, database_url="postgresql://a@127.0.0.1:1/x", hash_key="k" * 40)
    monkeypatch.setattr(Path, "exists", refuse)
    found = {finding.what: finding for finding in examine(settings)}
    assert not found["data dir"].well
    assert "Permission denied" in found["data dir"].said
    assert "refused" in found["database"].said


class Bounded(Service):
    """A service whose files may have a megabyte each: its Postgres cannot be made."""

    def command(self, *arguments: str) -> list[str]:
        """Run under a limit, as on a disk that is full."""
        return ["prlimit", "--fsize=1000000", *super().command(*arguments)]


def test_an_embedded_postgres_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    service = Bounded(tmp_path, None, {})
    assert "could not be made" in fail(service, "serve")
    assert not (service.data_dir / "postgres" / "cluster").exists()
