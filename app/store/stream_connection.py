"""The way to NATS: where it is, as whom we come, one connection, and questions to its JetStream.

The driver costs 0.7 s to import, so it is imported by whoever has a TELEMETRY_LOG_URL only.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

import orjson

from app.store.stream_causes import CODES, LogCause, StreamError, log_cause_of

if TYPE_CHECKING:
    from nats.aio.client import Client

API: Final = "$JS.API."
SCHEMES: Final = ("nats", "tls")
PORT: Final = 4222
CONNECT_SECONDS: Final = 2
CLOSE_SECONDS: Final = 1.0
ASK_SECONDS: Final = 2.0
LOOK_SECONDS: Final = 5.0  # for the way there of a command that only looks
RETRY_SECONDS: Final = 0.5
PING_SECONDS: Final = 5

ErrorCallback = Callable[[Exception], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Address:
    """Where NATS is, and as whom we come; made from a URL, which is shown nowhere."""

    servers: tuple[str, ...]
    encrypted: bool
    user: str | None = None
    password: str | None = None
    token: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Return what `nats://[user:password@|token@]host[:port]`, and more of them after commas, say. The
        first one's credentials are everyone's. Raises ValueError.
        """
        parts = [urlsplit(part.strip()) for part in url.split(",")]
        schemes = {part.scheme for part in parts}
        if len(schemes) != 1 or not schemes <= {*SCHEMES} or not all(part.hostname for part in parts):
            raise ValueError("takes nats://host:port or tls://host:port, several separated by commas")
        if any(part.path.strip("/") or part.query or part.fragment for part in parts):
            raise ValueError("takes nothing after host and port")
        hosts = [f"[{part.hostname}]" if ":" in (part.hostname or "") else part.hostname for part in parts]
        servers = [
            f"{part.scheme}://{host}:{part.port or PORT}" for host, part in zip(hosts, parts, strict=True)
        ]
        first = next((part for part in parts if part.username), None)
        name = unquote(first.username or "") if first else None
        if first is None or first.password is None:
            return cls(tuple(servers), "tls" in schemes, token=name)
        return cls(tuple(servers), "tls" in schemes, name, unquote(first.password))


class Encryption:
    """Sees to it that `tls://` means TLS. The driver takes it for a wish: a server without TLS would get the
    password, and everything after it, in clear."""

    def __init__(self, client: "Client", wanted: bool) -> None:
        """Look at `client`, if it is `wanted`."""
        self.client = client
        self.wanted = wanted
        self.closing: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Raise nats.errors.Error unless the server asks for TLS."""
        from nats.errors import Error  # noqa: PLC0415

        if self.wanted and not self.client._server_info.get("tls_required"):  # nothing public says it
            raise Error("secure connection not offered")

    def give(self, secret: str | None) -> Callable[[], str] | None:
        """Return what gives a secret to a server that may have it."""

        def give() -> str:
            self.check()
            return secret or ""

        return give if secret is not None else None

    async def check_again(self) -> None:
        """Close a connection that the driver has moved to a server without TLS."""
        with contextlib.suppress(Exception):
            self.check()
            return
        self.closing = asyncio.create_task(close(self.client))  # not from within the driver's own task


async def connect(address: Address, report: ErrorCallback) -> "Client":
    """Return a connection that keeps itself; `report` is called with every failure, and may end the attempt
    by raising. Tries for ever otherwise. Raises nats.errors.Error where tls:// meets a server without TLS.
    """
    from nats.aio.client import Client  # noqa: PLC0415

    client = Client()
    encryption = Encryption(client, address.encrypted)
    try:
        await client.connect(
            [*address.servers],
            error_cb=report,
            reconnected_cb=encryption.check_again,
            name="pyairbyte-telemetry",
            connect_timeout=CONNECT_SECONDS,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RETRY_SECONDS,  # type: ignore[arg-type] # it is given to `sleep`
            ping_interval=PING_SECONDS,
            user=encryption.give(address.user),
            password=encryption.give(address.password),
            token=encryption.give(address.token),
        )
        encryption.check()
    except BaseException:
        await close(client)
        raise
    return client


async def close(client: "Client") -> None:
    """Let go of a connection."""
    # The driver waits for ever for the end of a connection whose TLS failed.
    with contextlib.suppress(Exception):
        async with asyncio.timeout(CLOSE_SECONDS):
            await client.close()


@asynccontextmanager
async def visit(address: Address) -> AsyncIterator["Client"]:
    """Yield a connection for a look: every server is tried once. Raises StreamError."""
    failures: list[Exception] = []
    client: Client | None = None

    async def report(error: Exception) -> None:
        failures.append(error)
        if client is None and len(failures) >= len(address.servers):
            raise StreamError(min(map(log_cause_of, failures), key=_weight))

    try:
        async with asyncio.timeout(LOOK_SECONDS):
            client = await connect(address, report)
    except StreamError:
        raise
    except Exception as error:  # noqa: BLE001 -- the driver's errors have no common root with the system's
        raise StreamError(log_cause_of(failures[-1] if failures else error)) from None
    failures.clear()
    try:
        yield client
    except StreamError as error:
        if error.cause == LogCause.TIMEOUT and failures:  # a refused right is said beside the question
            raise StreamError(log_cause_of(failures[-1])) from None
        raise
    finally:
        await close(client)


def _weight(cause: LogCause) -> int:
    """Return less for what says more: one server that refuses our password beats two that are down."""
    return 1 if cause in (LogCause.REFUSED, LogCause.UNRESOLVABLE, LogCause.TIMEOUT) else 0


async def ask(client: "Client", request: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return JetStream's answer, an error included. Raises StreamError where there is none."""
    try:
        payload = orjson.dumps(body) if body else b""
        message = await client.request(f"{API}{request}", payload, timeout=ASK_SECONDS)
        answer: dict[str, Any] = orjson.loads(message.data)
    except Exception as error:  # noqa: BLE001 -- the driver's errors have no common root with the system's
        raise StreamError(log_cause_of(error)) from None
    return answer


async def ask_for(client: "Client", request: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return JetStream's answer. Raises StreamError."""
    answer = await ask(client, request, body)
    if "error" in answer:
        number = int(answer["error"].get("err_code", 0))
        raise StreamError(CODES.get(number, LogCause.UNAVAILABLE), f" JetStream's error {number}.")
    return answer
