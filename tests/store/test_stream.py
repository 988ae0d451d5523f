"""The stream in NATS: where it is, made as it must be, refused as it must not be, each cause in one line."""

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.store.stream import STREAM, SUBJECT, prepare, read_state
from app.store.stream_causes import LogCause, StreamError
from app.store.stream_connection import Address, ask_for
from tests.nats import Cluster, Node, at, needs_nats, running
from tests.service import find_free_port

pytestmark = needs_nats

MEGABYTE = 2**20
PASSWORD = "p@ss:word/of%nats"  # as it is; encoded in the URL
ENCODED = "p%40ss%3Aword%2Fof%25nats"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    with running(tmp_path_factory.mktemp("nats")) as node:
        yield node


@pytest.fixture
def url(node: Node) -> Iterator[str]:
    yield node.url
    if at(node.url, read_state) is not None:
        at(node.url, lambda client: ask_for(client, f"STREAM.DELETE.{STREAM}"))


def make(url: str, key_check: str = "key", megabytes: int = 64) -> Any:
    return at(url, lambda client: prepare(client, megabytes * MEGABYTE, key_check))


def config_of(url: str) -> dict[str, Any]:
    config: dict[str, Any] = at(url, lambda client: ask_for(client, f"STREAM.INFO.{STREAM}"))["config"]
    return config


def publish(url: str) -> None:
    at(url, lambda client: client.request(SUBJECT, b"batch"))


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("nats://a", Address(("nats://a:4222",), False)),
        ("tls://a:1, tls://[::1]:2", Address(("tls://a:1", "tls://[::1]:2"), True)),
        (
            f"nats://me:{ENCODED}@a,nats://b",
            Address(("nats://a:4222", "nats://b:4222"), False, "me", PASSWORD),
        ),
        ("nats://t%40ken@a", Address(("nats://a:4222",), False, token="t@ken")),
        *(
            (wrong, None)
            for wrong in ("a:4222", "http://a", "nats://a,tls://b", "nats://", "nats://a/path", "")
        ),
        *((wrong, None) for wrong in ("nats://a:port", "nats://a?tls=1", "nats://a,")),
    ],
)
def test_urls(text: str, address: Address | None) -> None:
    if address is None:
        with pytest.raises(ValueError):  # noqa: PT011 -- pydantic says the rest
            Address.parse(text)
    else:
        assert Address.parse(text) == address


def test_the_stream_is_made_once_and_changed_where_it_may_be(url: str) -> None:
    made = make(url)
    assert (made.messages, made.most_bytes, made.replicas, made.current) == (0, 64 * MEGABYTE, 1, 1)
    config = config_of(url)
    assert (config["retention"], config["discard"], config["storage"]) == ("workqueue", "new", "file")
    publish(url)
    again = make(url, megabytes=32)
    assert (again.messages, again.most_bytes) == (1, 32 * MEGABYTE)
    assert again.age_seconds >= 0
    assert again.oldest_at is not None
    assert config_of(url) == config | {"max_bytes": 32 * MEGABYTE}


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"retention": "limits"}, "retention"),
        ({"discard": "old", "max_age": 60 * 10**9}, "discard, max_age"),
        ({"storage": "memory"}, "storage"),
        ({"subjects": [SUBJECT, "OTHER"]}, "subjects"),
    ],
)
def test_a_stream_that_could_lose_something_is_refused(
    url: str, settings: dict[str, Any], named: str
) -> None:
    at(url, lambda client: create(client, **settings))
    with pytest.raises(StreamError, match=rf"\({named}\).*log_settled_otherwise") as caught:
        make(url)
    assert "\n" not in str(caught.value)


def test_another_installations_batches_are_not_taken(url: str) -> None:
    make(url, "first")
    assert make(url, "second").key_check == "second"  # nothing waits: as after a rotation
    publish(url)
    with pytest.raises(StreamError) as caught:
        make(url, "third")
    assert caught.value.cause == LogCause.FOREIGN


def test_no_room_for_what_is_asked_for(url: str) -> None:
    with pytest.raises(StreamError) as caught:
        make(url, megabytes=2**40)
    assert caught.value.cause == LogCause.OUT_OF_SPACE


def cause(url: str) -> LogCause:
    """Why a URL cannot be used; nothing of it is said."""
    with pytest.raises(StreamError) as caught:
        make(url)
    for part in ("127.0.0.1", "nobody", "wrong-secret"):
        assert part not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.cause


def test_who_cannot_be_reached(node: Node) -> None:
    assert cause(f"nats://127.0.0.1:{find_free_port()}") == LogCause.REFUSED
    assert cause("nats://nobody.invalid") == LogCause.UNRESOLVABLE
    assert cause(f"nats://127.0.0.1:{node.monitor_port}") in {LogCause.REFUSED, LogCause.TIMEOUT}
    assert cause(node.url.replace("nats:", "tls:")) == LogCause.TLS
    assert cause(node.url.replace("nats://", "tls://me:wrong-secret@")) == LogCause.TLS


def test_passwords_tokens_and_rights(tmp_path: Path) -> None:
    publisher = '{ user: "reader", password: "wrong-secret", permissions: { publish: "OTHER.>" } }'
    further = f'authorization {{ users: [ {{ user: "me", password: "{PASSWORD}" }}, {publisher} ] }}'
    with running(tmp_path / "users", further) as node:
        assert make(node.url.replace("//", f"//me:{ENCODED}@")).messages == 0
        assert cause(node.url.replace("//", "//me:wrong-secret@")) == LogCause.AUTHENTICATION
        assert cause(node.url) == LogCause.AUTHENTICATION
        assert cause(node.url.replace("//", "//reader:wrong-secret@")) == LogCause.PERMISSION
    with running(tmp_path / "token", 'authorization { token: "a-token" }') as node:
        assert make(node.url.replace("//", "//a-token@")).messages == 0


def test_without_jetstream(tmp_path: Path) -> None:
    node = Node(tmp_path, "bare")
    node.jetstream = False
    try:
        node.start()
        assert cause(node.url) == LogCause.NO_JETSTREAM
    finally:
        node.kill()


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl to make a certificate")
def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    make_certificate = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    make_certificate += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run([*make_certificate, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    further = (
        f"tls {{ cert_file: '{certificate}', key_file: '{key}' }}\nauthorization {{ user: me, password: pw }}"
    )
    with running(tmp_path / "tls", further) as node:
        url = f"tls://me:pw@localhost:{node.port}"
        assert cause(url) == LogCause.TLS  # nobody knows who signed that
        monkeypatch.setitem(os.environ, "SSL_CERT_FILE", str(certificate))
        assert make(url).messages == 0
        assert cause(url.replace("localhost", "127.0.0.1")) == LogCause.TLS


def test_three_nodes_hold_three_copies(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        cluster.start(cluster.nodes)
        at(cluster.url, lambda client: create(client, num_replicas=1, max_bytes=MEGABYTE))
        publish(cluster.url)
        raised = make(cluster.url)
        assert (raised.messages, raised.replicas) == (1, 3)
        state = raised
        while state.current < 3:  # the copies are on their way
            state = at(cluster.url, read_state)
        assert state.messages == 1
    finally:
        cluster.kill()


async def create(client: Any, **settings: Any) -> None:
    """Make the stream as somebody else would."""
    whole = {"name": STREAM, "subjects": [SUBJECT], "retention": "workqueue", "discard": "new"}
    for _ in range(20):
        with contextlib.suppress(StreamError):  # NATS is still tidying up the last one
            await ask_for(client, f"STREAM.CREATE.{STREAM}", whole | settings)
            return
        await asyncio.sleep(0.05)
    raise AssertionError("not made")
