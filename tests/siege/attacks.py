"""Every way in which somebody once held the service up, at bounded rates from a few
addresses of loopback, seeded.

Runs as a process of its own, so that the honest load beside it is measured and not disturbed by us.
"""

import asyncio
import contextlib
import gzip
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection

from tests.samples import clean_event
from tests.siege.senders import authorization, request

PATIENCE_SECONDS = 20.0
IDLE_ADDRESS = "127.0.0.66"
ADDRESSES = [f"127.0.0.{number}" for number in range(50, 58)]
DEAR = "/v1/reports/regressions?window=90d"
CHEAP = ("/v1/schema", "/metrics", "/readyz", "/openapi.json", "/privacy", "/public")
Attack = Callable[[], Awaitable[None]]


class Attacker:
    """Attacks by name, each done once a call; `counts` says how many were begun."""

    def __init__(
        self, port: int, key: str, token: str, seed: int, force: float = 1.0, *, only: Collection[str] = ()
    ) -> None:
        """`force` multiplies all rates; `only` names the kinds of attack, all of them if it is empty."""
        self.port, self.key, self.token, self.force = port, key, token, force
        self.random = random.Random(seed)
        self.counts: Counter[str] = Counter()
        self.kept: list[asyncio.StreamWriter] = []
        # By name: attacks a second, and how many may be under way.
        self.attacks: dict[str, tuple[float, int, Attack]] = {
            "gzip_members": (3, 8, self.send_members),
            "never_read": (8, 64, self.never_read),
            "cheap_readers": (60, 40, self.read_cheap),
            "readyz_at_once": (1, 4, self.ask_readyz),
            "idle_connections": (100, 100, self.stay_idle),
            "long_headers": (10, 16, self.send_long_header),
            "long_lengths": (5, 8, self.send_long_length),
            "forget_unknown": (3, 8, self.forget_unknown),
            "nothings": (1, 4, self.send_nothings),
            "refused_batches": (0.5, 2, self.send_refused),
            "slow_senders": (5, 64, self.send_slowly),
            "dear_reports": (4, 4, self.read_report),
            "wrong_tokens": (5, 8, self.try_token),
            "bodies_without_key": (3, 32, self.hold_body),
            "unknown_keys": (20, 16, self.try_key),
            "pipelines": (1, 4, self.pipeline),
            "no_http": (10, 8, self.send_garbage),
            "trailers": (5, 8, self.send_trailers),
            "rebound_hosts": (5, 8, self.rebind),
        }
        self.attacks = {name: how for name, how in self.attacks.items() if not only or name in only}

    async def connect(self, address: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection from one of the attackers' addresses."""
        source = address or self.random.choice(ADDRESSES)
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))

    async def send(self, *requests: bytes) -> None:
        """Send requests over one connection, read whatever comes for a second, and close."""
        reader, writer = await self.connect()
        try:
            for each in requests:
                writer.write(each)
                await writer.drain()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    while await reader.read(65_536):
                        pass
        finally:
            writer.close()

    def post(self, path: str, body: bytes, *lines: str) -> bytes:
        """Return a request that closes its connection."""
        return request(path, *lines, "Connection: close", method="POST", body=body)

    async def send_members(self) -> None:
        members = gzip.compress(b"") * 23_000
        await self.send(self.post("/v1/batch", members, "Content-Encoding: gzip"))

    async def never_read(self) -> None:
        reader, writer = await self.connect()
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(request("/openapi.json") * 50)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), PATIENCE_SECONDS)
        writer.transport.abort()
        del reader

    async def read_cheap(self) -> None:
        await self.send(request(self.random.choice(CHEAP), "Connection: close"))

    async def ask_readyz(self) -> None:
        await asyncio.gather(*(self.send(request("/readyz", "Connection: close")) for _ in range(24)))

    async def stay_idle(self) -> None:
        _, writer = await self.connect(IDLE_ADDRESS)
        self.kept.append(writer)
        if len(self.kept) > 4_000:
            self.kept.pop(0).close()

    async def send_long_header(self) -> None:
        lines = authorization(self.key, f"{self.random.random():021000.3f}")
        await self.send(self.post("/v1/validate", json.dumps(clean_event()).encode(), lines))

    async def send_long_length(self) -> None:
        head = f"POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Length: {'0' * 5_000}2\r\n\r\n{{}}"
        await self.send(head.encode())

    async def forget_unknown(self) -> None:
        unknown = "01" + "".join(self.random.choices("0123456789ABCDEFGHJKMNPQRSTVWXYZ", k=24))
        await self.send(self.post("/v1/forget", json.dumps({"anonymousId": unknown}).encode()))

    async def send_batch(self, events: list[dict[str, object]]) -> None:
        packed = gzip.compress(json.dumps({"batch": events}).encode())
        key = authorization(self.key)
        await self.send(self.post("/v1/batch", packed, key, "Content-Encoding: gzip"))

    async def send_nothings(self) -> None:
        await self.send_batch([{}] * 2_500)

    async def send_refused(self) -> None:
        await self.send_batch([{"event": str(self.random.random())} for _ in range(2_500)])

    async def send_slowly(self) -> None:
        _, writer = await self.connect()
        whole = self.post("/v1/track", b"{}", authorization(self.key))
        with contextlib.suppress(OSError):
            for byte in whole:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0.1)
        writer.close()

    async def read_report(self) -> None:
        token = f"Authorization: Bearer {self.token}"
        await self.send(request(DEAR, token, "Cache-Control: no-cache", "Connection: close"))

    async def try_token(self) -> None:
        token = f"Authorization: Bearer {self.random.random()}"
        await self.send(request("/v1/reports/home", token, "Connection: close"))

    async def hold_body(self) -> None:
        _, writer = await self.connect()
        whole = self.post("/v1/batch", b'{"batch": [' + b" " * 400_000)
        writer.write(whole[:-1])
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(writer.wait_closed(), PATIENCE_SECONDS)
        writer.close()

    async def try_key(self) -> None:
        body = json.dumps(clean_event()).encode()
        await self.send(self.post("/v1/track", body, authorization(f"unknown-{self.random.random()}")))

    async def pipeline(self) -> None:
        await self.send(request("/v1/track", method="POST", body=b"{}") * 1_000)

    async def send_garbage(self) -> None:
        await self.send(self.random.randbytes(300) + b"\r\n\r\n")

    async def send_trailers(self) -> None:
        head = (
            "POST /v1/track HTTP/1.1\r\nHost: x\r\nContent-Type: "
            "application/json\r\nTransfer-Encoding: chunked"
        )
        trailers = "".join(f"a{number}: {'b' * 1_000}\r\n" for number in range(200))
        await self.send(f"{head}\r\n\r\n2\r\n{{}}\r\n0\r\n{trailers}\r\n".encode())

    async def rebind(self) -> None:
        await self.send(b"GET /metrics HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n")

    async def repeat(self, name: str, until: float) -> None:
        """Do one attack again and again, at its rate."""
        rate, at_once, attack = self.attacks[name]
        own = random.Random(self.random.random())
        room = asyncio.Semaphore(at_once)

        async def once() -> None:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await attack()
            room.release()

        async with asyncio.TaskGroup() as group:
            while time.monotonic() < until or not self.counts[name]:
                await asyncio.sleep(own.expovariate(rate * self.force))
                if not room.locked():
                    await room.acquire()
                    self.counts[name] += 1
                    group.create_task(once())

    async def run(self, seconds: float) -> None:
        """Do all of them side by side."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for name in self.attacks:
                group.create_task(self.repeat(name, until))
        for writer in self.kept:
            writer.transport.abort()


def main() -> None:
    """Attack: port, key, token, seed, force, seconds, kinds. Prints how many attacks of
    which kind were begun, as JSON."""
    port, key, token, seed, force, seconds, *only = sys.argv[1:]
    attacker = Attacker(int(port), key, token, int(seed), float(force), only=only)
    asyncio.run(attacker.run(float(seconds)))
    print(json.dumps(attacker.counts))


if __name__ == "__main__":
    main()
