"""Debian's Firefox, driven by WebDriver BiDi, which it speaks by itself.

Playwright drives only a Firefox of its own making, or one that knows
`emulation.setMediaFeaturesOverride`; Debian's does not.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Self

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from tests.service import find_free_port

FIREFOX: Final = shutil.which("firefox-esr") or shutil.which("firefox")
DEADLINE_SECONDS: Final = 120
QUIET: Final[Mapping[str, object]] = {  # nothing is asked of other hosts
    "app.normandy.enabled": False,
    "app.update.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "browser.safebrowsing.malware.enabled": False,
    "browser.safebrowsing.phishing.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.healthreport.uploadEnabled": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
}
SCHEME: Final = "layout.css.prefers-color-scheme.content-override"  # 0 is dark, 1 light
WATCH: Final = """() => {
  globalThis.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => violations.push(event.violatedDirective));
}"""


class Firefox:
    """One browser with one page. `complaints` are what its console said, `requests` the
    addresses that it asked for."""

    def __init__(self, folder: Path, *, dark: bool) -> None:
        assert FIREFOX
        port = find_free_port()
        chosen = {**QUIET, SCHEME: 0 if dark else 1}
        folder.mkdir()
        (folder / "user.js").write_text(
            "".join(f'user_pref("{name}", {json.dumps(value)});\n' for name, value in chosen.items())
        )
        command = [
            FIREFOX,
            "--headless",
            "--no-remote",
            "--profile",
            str(folder),
            "--remote-debugging-port",
            str(port),
        ]
        self.stack = ExitStack()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.stack.callback(self.stop)
        self.number = 0
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.socket = self.reach(port)
        self.send("session.new", capabilities={})
        self.send("session.subscribe", events=["log.entryAdded", "network.beforeRequestSent"])
        self.page: str = self.send("browsingContext.create", type="tab")["context"]
        self.send("script.addPreloadScript", functionDeclaration=WATCH, contexts=[self.page])

    def stop(self) -> None:
        """End the browser."""
        self.process.terminate()
        self.process.wait(DEADLINE_SECONDS)

    def reach(self, port: int) -> ClientConnection:
        """Return the connection, once the browser listens."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            assert self.process.poll() is None, "Firefox ended"
            assert time.monotonic() < deadline, "Firefox does not listen"
            try:
                # websockets wants a context; this one ends with the browser's.
                return self.stack.enter_context(
                    connect(f"ws://127.0.0.1:{port}/session", max_size=None, proxy=None)
                )
            except (OSError, WebSocketException):
                time.sleep(0.1)

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Return what a command answers; events that come meanwhile are noted."""
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while True:
            message = json.loads(self.socket.recv(DEADLINE_SECONDS))
            if message.get("id") == self.number:
                assert message["type"] == "success", message
                found: dict[str, Any] = message["result"]
                return found
            self.note(message)

    def note(self, event: Mapping[str, Any]) -> None:
        """Keep what an event tells."""
        if event.get("method") == "network.beforeRequestSent":
            self.requests.append(event["params"]["request"]["url"])
        elif event.get("method") == "log.entryAdded" and event["params"]["level"] in ("error", "warn"):
            self.complaints.append(str(event["params"]["text"]))

    def resize(self, width: int, height: int = 900) -> None:
        """Give the page a size in pixels."""
        viewport = {"width": width, "height": height}
        self.send("browsingContext.setViewport", context=self.page, viewport=viewport)

    def visit(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        self.send("browsingContext.navigate", context=self.page, url=url, wait="complete")

    def ask(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, a promise's when it is fulfilled."""
        wrapped = f"Promise.resolve({expression}).then((value) => JSON.stringify(value ?? null))"
        answer = self.send(
            "script.evaluate", expression=wrapped, target={"context": self.page}, awaitPromise=True
        )
        assert answer["type"] == "success", answer
        return json.loads(answer["result"]["value"])

    def press(self, *keys: str) -> None:
        """Press keys one after the other, as a hand does."""
        acts = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        source = {"type": "key", "id": "keyboard", "actions": acts}
        self.send("input.performActions", context=self.page, actions=[source])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stack.close()
