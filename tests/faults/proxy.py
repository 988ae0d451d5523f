"""A way to Postgres that can be cut: a TCP proxy that passes, refuses, or swallows
everything like a black hole."""

import contextlib
import select
import socket
import threading
from typing import Final, Literal

from sqlalchemy import make_url

CHUNK: Final = 65_536
Mode = Literal["pass", "refuse", "swallow"]


class Proxy:
    """Listens on loopback in front of a Postgres on a Unix socket, or a port. Threads end with `close`."""

    def __init__(self, database_url: str) -> None:
        """Stand in front of the database at `database_url`."""
        target = make_url(database_url)
        self.target = (target.host, target.port) if target.host else f"{target.query['host']}/.s.PGSQL.5432"
        self.mode: Mode = "pass"
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.url = target.set(host="127.0.0.1", port=self.port, query={}).render_as_string(
            hide_password=False
        )
        self.open: list[socket.socket] = []
        self.closing = False
        threading.Thread(target=self.accept, daemon=True).start()

    def set(self, mode: Mode) -> None:
        """Change what happens to traffic. `refuse` cuts the connections that are open."""
        self.mode = mode
        if mode == "refuse":
            self.cut()

    def cut(self) -> None:
        """Reset every open connection."""
        for connection in self.open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def accept(self) -> None:
        """Take connections until closed."""
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            if self.mode == "refuse":
                client.close()
                continue
            self.open.append(client)
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client: socket.socket) -> None:
        """Carry one connection, both ways."""
        family = socket.AF_UNIX if isinstance(self.target, str) else socket.AF_INET
        with client, socket.socket(family) as server, contextlib.suppress(OSError):
            server.connect(self.target)
            self.open.append(server)
            ends = {client: server, server: client}
            while not self.closing:
                readable, _, _ = select.select(list(ends), [], [], 0.05)
                if self.mode == "swallow":
                    if readable and not self.closing:
                        threading.Event().wait(0.05)  # neither read nor closed: the peer sees silence
                    continue
                for end in readable:
                    data = end.recv(CHUNK)
                    if not data:
                        return
                    ends[end].sendall(data)

    def close(self) -> None:
        """Stop listening and cut everything."""
        self.closing = True
        self.listener.close()
        self.cut()
