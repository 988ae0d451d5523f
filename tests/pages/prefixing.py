"""A proxy that serves a service under a path, as nginx and Traefik do."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.service import Service

DROPPED = ("transfer-encoding", "connection", "date", "server", "content-length")


class PrefixingProxy:
    """Listens on loopback before a service, under `prefix`; strips it or not, and says so
    in X-Forwarded-Prefix or not."""

    def __init__(self, service: Service, prefix: str, *, strips: bool = True, says: bool = True) -> None:
        self.service, self.prefix, self.strips, self.says = service, prefix, strips, says
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                proxy.pass_on(self)

            do_POST = do_GET  # noqa: N815 -- the standard library's name

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def pass_on(self, request: BaseHTTPRequestHandler) -> None:
        """Answer a request with what the service answers; 404 outside of the prefix."""
        path, prefix = request.path, self.prefix
        if path != prefix and not path.startswith((f"{prefix}/", f"{prefix}?")):
            request.send_error(404)
            return
        headers = {name: value for name, value in request.headers.items() if name.lower() != "connection"}
        if self.says:
            headers["X-Forwarded-Prefix"] = prefix
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        connection = http.client.HTTPConnection("127.0.0.1", self.service.port, timeout=60)
        connection.request(
            request.command, (path.removeprefix(prefix) or "/") if self.strips else path, body, headers
        )
        answer = connection.getresponse()
        content = answer.read()
        request.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in DROPPED:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
        connection.close()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self.server.server_close()
