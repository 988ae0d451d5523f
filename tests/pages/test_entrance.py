"""Pages behind a proxy that logs people in: its header is believed, anybody else's
is not. By the real server."""

import subprocess

import httpx
import pytest

from tests.conftest import ServiceFactory
from tests.service import Service

HEADER = "X-Forwarded-User"
TRUSTING = {"TELEMETRY_TRUSTED_PROXIES": "127.0.0.1", "TELEMETRY_USER_HEADER": HEADER}
CANARY = "jane.canary@example.com"


def ask(service: Service, headers: list[tuple[str, str]]) -> int:
    with httpx.Client(base_url=service.url, timeout=60) as client:
        return client.get("/reports", headers=headers).status_code


def test_a_trusted_proxys_user_needs_no_login(make_service: ServiceFactory) -> None:
    service = make_service(TRUSTING)
    assert ask(service, [(HEADER, CANARY)]) == 200
    assert ask(service, []) == 401
    assert ask(service, [(HEADER, "")]) == 401
    assert ask(service, [(HEADER, CANARY), (HEADER, "mallory")]) == 401
    with httpx.Client(base_url=service.url, timeout=60) as client:
        with client.stream("GET", "/reports/live/stream", headers={HEADER: CANARY}) as stream:
            assert stream.status_code == 200
        assert client.get("/v1/reports/home", headers={HEADER: CANARY}).status_code == 401
    service.stop()
    kept = b"".join(path.read_bytes() for path in service.folder.rglob("*") if path.is_file())
    assert CANARY.encode() not in kept


@pytest.mark.parametrize("settings", [{}, TRUSTING | {"TELEMETRY_TRUSTED_PROXIES": "192.0.2.1"}])
def test_anybody_elses_header_is_worth_nothing(
    make_service: ServiceFactory, settings: dict[str, str]
) -> None:
    assert ask(make_service(settings), [(HEADER, CANARY)]) == 401


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"TELEMETRY_USER_HEADER": HEADER}, "TELEMETRY_TRUSTED_PROXIES"),
        (TRUSTING | {"TELEMETRY_USER_HEADER": "a b"}, "the name of a header"),
    ],
)
def test_it_does_not_start_with_a_header_that_it_could_not_trust(
    service: Service, settings: dict[str, str], said: str
) -> None:
    done = subprocess.run(
        service.command("serve"),
        env=service.environment | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
