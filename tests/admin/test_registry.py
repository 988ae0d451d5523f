"""Connector names are learned from an Airbyte registry; a name that was withheld
becomes visible for later events."""

import gzip
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.admin import registry, releases
from app.contract.vocabulary import shipped_connectors
from app.problems import TelemetryError
from tests.conftest import Service
from tests.look import Look, wait_until
from tests.samples import DATA, clean_event

FILE = DATA / "registry.json"


def test_names_come_from_the_repository_of_public_entries() -> None:
    found = registry.parse(
        {
            "sources": [
                {"dockerRepository": "airbyte/source-new", "name": "Jane's source", "custom": False},
                {"dockerRepository": "acme/source-other"},
                {"dockerRepository": "acme/source-private", "custom": True},
                {"dockerRepository": "airbyte/destination-misplaced"},
                {"dockerRepository": "airbyte/source-Jane@Example.com"},
                {"dockerRepository": "airbyte/source-new\n"},
                {"dockerRepository": "airbyte/source-" + "x" * 64},
                {"dockerRepository": 7},
                "no entry",
            ],
            "destinations": [{"dockerRepository": "airbyte/destination-new"}],
        }
    )
    assert set(found.entries) == {"source-new", "source-other", "destination-new"}
    assert (found.private, found.unusable) == (1, 6)


def test_versions_are_those_that_the_registry_names() -> None:
    entry = {
        "dockerRepository": "airbyte/source-new",
        "dockerImageTag": "1.2.3",
        "releases": {"releaseCandidates": {"1.3.0-rc.2": {}}, "breakingChanges": {"1.0.0": {}, "x": {}}},
    }
    odd = [
        {"dockerRepository": "airbyte/source-b", "dockerImageTag": tag, "releases": tag}
        for tag in (None, 7, "jane@example.com", "10.0.3.17", "415.555.2671")
    ]
    found = registry.parse({"sources": [entry, *odd, entry | {"custom": True}]})
    assert found.versions == {("source-new", "1.2.3"), ("source-new", "1.3.0-rc"), ("source-new", "1.0.0")}


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"info": {"name": "airbyte"}, "releases": {"1.0.0-rc.1": [], "0.9.9": [], "no version": []}},
            {("pyairbyte", "1.0.0rc1"), ("pyairbyte", "0.9.9")},
        ),
        ({"name": "airbyte-source-faker", "versions": ["7.0.0", 7]}, {("source-faker", "7.0.0")}),
        ({"name": "airbyte_destination.x", "versions": ["1.0.0"]}, {("destination-x", "1.0.0")}),
        ({"name": "requests", "versions": ["1.0.0"]}, None),
        ({"name": "airbyte"}, None),
        ([], None),
    ],
)
def test_versions_come_from_package_lists(document: Any, words: set[tuple[str, str]] | None) -> None:
    assert releases.parse_package(document) == words


@pytest.mark.parametrize("document", [[], {}, {"sources": "x"}, {"sources": []}, 7, None])
def test_another_document_is_refused(document: Any) -> None:
    with pytest.raises(TelemetryError, match="registry"):
        registry.parse(document)


def test_a_missing_file_and_no_json_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TelemetryError, match="cannot be read"):
        registry.read(str(tmp_path / "missing.json"))
    (tmp_path / "text.json").write_text("jane@example.com")
    with pytest.raises(TelemetryError, match="no JSON") as refused:
        registry.read(str(tmp_path / "text.json"))
    assert "jane" not in str(refused.value)


@pytest.fixture
def host() -> Iterator[str]:
    """A host that serves a registry, an error, a bomb, and a redirect."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/moved":
                self.send_response(302)
                self.send_header("Location", "/registry.json")
                self.end_headers()
                return
            body = {
                "/registry.json": FILE.read_bytes(),
                "/bomb": gzip.compress(bytes(registry.DOCUMENT_BYTES + 1), 1),
            }
            self.send_response(200 if self.path in body else 404)
            if self.path == "/bomb":
                self.send_header("Content-Encoding", "gzip")
            self.end_headers()
            try:
                self.wfile.write(body.get(self.path, b"nothing"))
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_url_is_fetched_within_bounds(host: str) -> None:
    expected = registry.read(str(FILE)).entries
    assert (
        registry.read(f"{host}/registry.json").entries == registry.read(f"{host}/moved").entries == expected
    )
    with pytest.raises(TelemetryError, match="404"):
        registry.read(f"{host}/missing")
    with pytest.raises(TelemetryError, match="larger"):
        registry.read(f"{host}/bomb")
    with pytest.raises(TelemetryError, match="cannot be fetched"):
        registry.read("http://127.0.0.1:1/registry.json")


def test_running_servers_learn_the_names(
    service: Service, client: httpx.Client, look: Look, tmp_path: Path
) -> None:
    name = "source-yaml-only"
    assert name not in shipped_connectors()

    def send(number: int) -> list[str]:
        event = clean_event(source={"name": name}, number_of_records=number)
        reply = client.post("/v1/track", json=event)
        assert reply.status_code == 200
        return list(reply.json().get("withheld", []))

    assert send(0) == ["properties.source.name"]
    numbers = iter(range(1, 10_000))
    done = service.run("connectors", "refresh", str(FILE))
    assert done.returncode == 0, done.stderr
    assert "Connectors in the registry: 10" in done.stdout
    wait_until(lambda: send(next(numbers)) == [], "the name stays withheld")
    stored = dict(look.rows("SELECT source_name, count(*) FROM events GROUP BY 1"))
    assert stored[name] == 1
    assert stored["custom"] >= 1  # what was withheld stays so
    again = service.run("connectors", "refresh", str(FILE))
    assert "New: 0." in again.stdout
    (tmp_path / "empty.json").write_text(json.dumps({"sources": [], "destinations": []}))
    assert service.run("connectors", "refresh", str(tmp_path / "empty.json")).returncode == 1
