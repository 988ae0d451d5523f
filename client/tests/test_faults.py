"""Hosts that misbehave, on real sockets. The caller never notices; every event comes to exactly one end."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

import pytest

from client.tests.recorder import (
    Behaviour,
    Recorder,
    accept,
    answer,
    answer_without_end,
    black_hole,
    drip,
    reset_mid_body,
    stay_silent,
    store_and_reset,
    talk_garbage,
)
from pyairbyte_telemetry import ConnectorRuntimeInfo, EventState, EventType, Limits

SOURCE = ConnectorRuntimeInfo(name="source-faker")
SLOWEST_CALL = 0.3
"""Seconds. Generous: what is guarded against is a call that waits for a host, which
takes a second or for ever."""


def send(telemetry: ModuleType, number: int = 1, state: EventState = EventState.STARTED) -> None:
    for _ in range(number):
        began = time.perf_counter()
        telemetry.send_telemetry(
            source=SOURCE, destination=None, cache=None, state=state, event_type=EventType.SYNC
        )
        assert time.perf_counter() - began < SLOWEST_CALL


def settle(telemetry: ModuleType, recorder: Recorder, offered: int) -> dict[str, int]:
    """Wait until all is settled, and check the law: sent = stored + duplicate + refused +
    lost, told or still to tell."""
    assert telemetry.flush(30)
    counts: dict[str, int] = telemetry.statistics()
    assert (
        counts["accepted"] + counts["duplicate"] + counts["refused"] + counts["lost"] + counts["dropped"]
        == offered
    )
    assert recorder.reported == counts["reported"]
    return counts


@pytest.mark.parametrize(
    "fault",
    [
        reset_mid_body,
        answer(500),
        answer(503),
        answer(502),
        answer(408),
        answer(429),
        talk_garbage,
        stay_silent,
        drip,
    ],
    ids=lambda fault: getattr(fault, "__name__", "fault"),
)
def test_a_fault_that_passes_loses_nothing(
    connected: ModuleType, recorder: Recorder, fault: Behaviour
) -> None:
    recorder.script = [fault, fault]
    send(connected, 5)
    counts = settle(connected, recorder, 5)
    assert len(recorder.stored) == counts["accepted"] == 5
    assert counts["retried"] == 10
    assert recorder.duplicates == 0


def test_a_retry_is_the_same_events_under_the_same_ids(connected: ModuleType, recorder: Recorder) -> None:
    recorder.script = [answer(500), answer(500)]
    send(connected, 3)
    settle(connected, recorder, 3)
    first, second, third = (request.document for request in recorder.requests)
    assert first["batch"] == second["batch"] == third["batch"]
    assert first["sentAt"] < second["sentAt"] < third["sentAt"]


def test_an_answer_that_got_lost_makes_duplicates_not_more_events(
    connected: ModuleType, recorder: Recorder
) -> None:
    recorder.script = [store_and_reset]
    send(connected, 4)
    counts = settle(connected, recorder, 4)
    assert len(recorder.stored) == recorder.duplicates == counts["duplicate"] == 4


@pytest.mark.parametrize(
    "fault", [reset_mid_body, answer(500), talk_garbage], ids=lambda fault: fault.__name__
)
def test_a_fault_that_stays_is_given_up_and_reported_later(
    connected: ModuleType, recorder: Recorder, fault: Behaviour
) -> None:
    attempts = Limits().attempts
    recorder.script = [fault] * attempts
    send(connected, 5)
    assert settle(connected, recorder, 5)["lost"] == 5
    send(connected, 2)
    counts = settle(connected, recorder, 7)
    assert len(recorder.stored) == counts["accepted"] == 2
    assert recorder.reported == 5
    send(connected)
    settle(connected, recorder, 8)
    assert recorder.reported == 5  # told once


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 415, 422])
def test_a_refusal_is_final(connected: ModuleType, recorder: Recorder, status: int) -> None:
    recorder.script = [answer(status)]
    send(connected)
    counts = settle(connected, recorder, 1)
    assert counts["refused"] == len(recorder.requests) == 1
    assert counts["retried"] == 0


def test_a_batch_too_large_for_a_proxy_is_halved(connected: ModuleType, recorder: Recorder) -> None:
    recorder.script = [answer(413), accept, answer(413)]
    send(connected, 5)  # 5 → 2 + 3 → 2 + (1 + 2)
    counts = settle(connected, recorder, 5)
    assert len(recorder.stored) == counts["accepted"] == 5
    assert [len(request.events) for request in recorder.requests] == [5, 2, 3, 1, 2]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(connected: ModuleType, recorder: Recorder, status: int) -> None:
    recorder.script = [answer(status, Location=recorder.url + "/elsewhere")]
    send(connected)
    assert settle(connected, recorder, 1)["lost"] == 1
    send(connected)
    settle(connected, recorder, 2)
    assert [request.path for request in recorder.requests] == ["/v1/track", "/v1/track"]
    assert recorder.reported == 1


def test_each_events_own_outcome_is_counted(connected: ModuleType, recorder: Recorder) -> None:
    outcomes = ["accepted", "queued", "duplicate", "rejected", "expired", "forgotten", "something new"]

    def judge(exchange: object) -> None:
        exchange.read()  # type: ignore[attr-defined]
        exchange.reply(200, {"success": True, "results": [{"outcome": each} for each in outcomes]})  # type: ignore[attr-defined]

    recorder.script = [judge]
    send(connected, len(outcomes))
    assert connected.flush()
    counts = connected.statistics()
    answered = {name: value for name, value in counts.items() if value}
    assert answered == {"accepted": 3, "duplicate": 1, "refused": 1, "expired": 1, "forgotten": 1}


def test_a_host_asks_for_a_pause_and_gets_it(connected: ModuleType, recorder: Recorder) -> None:
    recorder.script = [answer(429, Retry_After="1")]
    moments: list[float] = []

    def note(exchange: object) -> None:
        moments.append(time.monotonic())
        accept(exchange)  # type: ignore[arg-type]

    recorder.script.append(note)
    began = time.monotonic()
    send(connected)
    settle(connected, recorder, 1)
    assert moments[0] - began >= 1.0


def test_a_pause_asked_for_is_bounded(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(limits=Limits(linger=0.01, retry_after_cap=0.2))
    recorder.script = [answer(503, Retry_After="100000")]
    send(connected)
    settle(connected, recorder, 1)  # would take a day
    assert len(recorder.stored) == 1


def test_a_pause_beyond_the_budget_is_not_made(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(limits=Limits(linger=0.01, retry_budget=1.0))
    recorder.script = [answer(503, Retry_After="20")]
    send(connected)
    assert settle(connected, recorder, 1)["lost"] == 1


def test_a_refused_connection(telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", f"http://127.0.0.1:{taken.getsockname()[1]}")
        send(telemetry, 5)
        assert telemetry.flush(30)
        assert telemetry.statistics()["lost"] == 5


def test_a_host_that_does_not_exist(telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", "https://telemetry.invalid")
    send(telemetry, 5)
    assert telemetry.flush(60)
    assert telemetry.statistics()["lost"] == 5


def test_a_host_that_drops_packets(telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry.configure(limits=Limits(linger=0.01, connect_timeout=0.2, attempts=2, backoff_base=0.01))
    with black_hole() as url:
        monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", url)
        send(telemetry, 5)
        assert telemetry.flush(30)
    assert telemetry.statistics()["lost"] == 5


def test_an_answer_is_read_up_to_a_bound(connected: ModuleType, recorder: Recorder) -> None:
    recorder.script = [answer_without_end]
    send(connected)
    counts = settle(connected, recorder, 1)
    assert counts["accepted"] == len(recorder.stored) == 1


def test_connections_are_kept(connected: ModuleType, recorder: Recorder) -> None:
    for _ in range(5):
        send(connected)
        assert connected.flush()
    assert len({request.client for request in recorder.requests}) == 1


def test_cookies_are_not_kept(connected: ModuleType, recorder: Recorder) -> None:
    recorder.script = [answer(200, Set_Cookie="id=42; Path=/")]
    for _ in range(2):
        send(connected)
        assert connected.flush()
    assert len(recorder.requests) == 2
    assert "cookie" not in recorder.requests[1].headers


def test_a_kept_connection_that_the_host_closed_costs_nothing(
    connected: ModuleType, recorder: Recorder
) -> None:
    def hang_up(exchange: object) -> None:
        accept(exchange)  # type: ignore[arg-type]
        exchange.close_connection = True  # type: ignore[attr-defined]

    recorder.script = [hang_up]
    send(connected)
    settle(connected, recorder, 1)
    send(connected)
    settle(connected, recorder, 2)
    assert len(recorder.stored) == 2


def test_proxies_are_taken_from_the_environment(
    telemetry: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", recorder.url)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", "http://telemetry.example.com")
    monkeypatch.setenv("AIRBYTE_TELEMETRY_ALLOW_HTTP", "1")
    recorder.script = [answer(200)]
    send(telemetry)
    assert telemetry.flush()
    assert [request.path for request in recorder.requests] == ["http://telemetry.example.com/v1/track"]


@contextmanager
def tunnel() -> Iterator[tuple[str, list[bytes]]]:
    """A proxy that refuses to connect to anywhere, and the heads of the requests that it got."""
    heads: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection:
                        heads.append(connection.recv(4096))
                        connection.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", heads
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_https_goes_through_a_tunnel_of_the_proxy(
    telemetry: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    telemetry.configure(limits=Limits(linger=0.01, attempts=1))
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", "https://telemetry.example.com")
    with tunnel() as (address, heads):
        monkeypatch.setenv("https_proxy", f"http://jane:p%40ss@{address}")
        send(telemetry)
        assert telemetry.flush(30)
    assert telemetry.statistics()["lost"] == 1
    (head,) = heads
    assert head.startswith(b"CONNECT telemetry.example.com:443 ")
    assert b"Proxy-Authorization: Basic amFuZTpwQHNz" in head
    assert b"Y3VrZ" not in head  # the write key is nothing for a proxy


@pytest.mark.parametrize("excepted", ["127.0.0.1", "127.0.0.0/8", "*", "example.com, 127.0.0.0/8"])
def test_no_proxy_is_respected(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, excepted: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", excepted)
    send(connected)
    settle(connected, recorder, 1)
    assert len(recorder.stored) == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:9", "https://127.0.0.1:9", "http://"])
def test_a_proxy_that_we_do_not_speak_is_not_passed_by(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Whoever says that all must go through it means it."""
    connected.configure(limits=Limits(linger=0.01, attempts=2, backoff_base=0.01))
    monkeypatch.setenv("ALL_PROXY", proxy)
    monkeypatch.setenv("no_proxy", "")
    send(connected)
    settle(connected, recorder, 1)
    assert recorder.requests == []
    assert connected.statistics()["lost"] == 1


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes a certificate")
@pytest.mark.parametrize("trusted", [True, False])
def test_tls_trusts_the_bundle_that_is_configured(
    telemetry: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trusted: bool
) -> None:
    telemetry.configure(limits=Limits(linger=0.01, attempts=2, backoff_base=0.01, connect_timeout=5))
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    new = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost"
    )
    subprocess.run([*new.split(), "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    recorder.server.socket = context.wrap_socket(recorder.server.socket, server_side=True)
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", recorder.url.replace("http://127.0.0.1", "https://localhost"))
    for _ in range(2):
        send(telemetry)
        assert telemetry.flush(30)
    assert len(recorder.stored) == telemetry.statistics()["accepted"] == (2 if trusted else 0)
    assert telemetry.statistics()["lost"] == (0 if trusted else 2)
    assert len({request.client for request in recorder.requests}) == (1 if trusted else 0)


def test_a_path_of_the_hosts_own_is_kept(
    connected: ModuleType, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRBYTE_TELEMETRY_URL", f"{recorder.url}/über uns/")
    recorder.script = [answer(200)]
    send(connected)
    assert connected.flush()
    assert recorder.requests[0].path == "/%C3%BCber%20uns/v1/track"


def test_an_answer_that_breaks_off_is_no_answer(connected: ModuleType, recorder: Recorder) -> None:
    def break_off(exchange: object) -> None:
        exchange.server.recorder.store(exchange.read())  # type: ignore[attr-defined]
        exchange.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"outcome":')  # type: ignore[attr-defined]
        exchange.close_connection = True  # type: ignore[attr-defined]

    recorder.script = [break_off]
    send(connected)
    assert settle(connected, recorder, 1)["duplicate"] == 1


def test_a_full_queue_drops_counts_and_reports(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(limits=Limits(queue_events=10, linger=0.01, read_timeout=30, attempt_timeout=30))
    recorder.script = [stay_silent]
    send(connected, state=EventState.FAILED)
    recorder.wait(lambda: len(recorder.requests) == 1)  # the sender is busy from here on
    send(connected, 25)
    assert connected.statistics()["dropped"] == 15
    recorder.released.set()
    counts = settle(connected, recorder, 26)
    assert len(recorder.stored) == counts["accepted"] == 11
    assert recorder.reported == 15


def test_a_syncs_end_does_not_wait_for_company(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(limits=Limits(linger=3600))
    send(connected, 2)
    for state in (EventState.SUCCEEDED, EventState.FAILED, EventState.CANCELED):
        before = len(recorder.stored)
        send(connected, state=state)
        recorder.wait(lambda before=before: len(recorder.stored) > before)  # type: ignore[misc]
    assert [len(request.events) for request in recorder.requests] == [3, 1, 1]


def test_flush_gives_up_in_time(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(limits=Limits(linger=0.01, read_timeout=30, attempt_timeout=30))
    recorder.script = [stay_silent]
    send(connected)
    began = time.monotonic()
    assert connected.flush(0.3) is False
    assert time.monotonic() - began < 5
    recorder.released.set()
    settle(connected, recorder, 1)


def test_close_gives_up_the_rest_and_a_later_event_starts_anew(
    connected: ModuleType, recorder: Recorder
) -> None:
    connected.configure(limits=Limits(linger=3600, read_timeout=30))
    recorder.script = [answer(500)] * 100
    send(connected, 5)
    began = time.monotonic()
    connected.close(0.5)
    assert time.monotonic() - began < 5
    recorder.script = []
    connected.configure(limits=Limits(linger=0.01))
    send(connected)
    counts = settle(connected, recorder, 6)
    assert counts["accepted"] == 1
    assert recorder.reported == counts["lost"] == 5


def test_batches_stay_within_the_services_limits(connected: ModuleType, recorder: Recorder) -> None:
    connected.configure(limits=Limits(linger=0.3))
    send(connected, 1000)
    settle(connected, recorder, 1000)
    assert len(recorder.stored) == 1000
    assert max(len(request.events) for request in recorder.requests) <= 400
