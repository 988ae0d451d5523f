"""Where PyAirbyte runs: interpreter, system, continuous integration, notebooks. The values are
those PyAirbyte has always sent."""

import builtins
import os
import sys
from functools import lru_cache
from typing import Any

from . import _heavy

COLAB = ("172.28.0.12", 9000)
"""Where a Google Colab machine tells its notebook's name. Asked on the sender's thread only."""

COLAB_SESSIONS = "/api/sessions"
_COLAB_BYTES = 64 * 1024


def is_ci() -> bool:
    """Return whether `CI` is in the environment, whatever its value."""
    return "CI" in os.environ


def is_langchain() -> bool:
    """Return whether langchain-airbyte has been imported."""
    return "langchain_airbyte" in sys.modules


def is_colab() -> bool:
    """Return whether this is Google Colab."""
    return "COLAB_RELEASE_TAG" in os.environ


def is_jupyter() -> bool:
    """Return whether this is a Jupyter kernel (not a terminal running IPython)."""
    shell = getattr(builtins, "get_ipython", None)
    return shell is not None and type(shell()).__name__ == "ZMQInteractiveShell"


def is_vscode_notebook() -> bool:
    """Return whether VS Code has left its notebook's path in the main module."""
    return hasattr(sys.modules.get("__main__"), "__vsc_ipynb_file__")


def find_static_flags() -> dict[str, Any]:
    """Return the flags that are on, but for MCP's. An absent flag is off."""
    notebook = (
        "GOOGLE_COLAB"
        if is_colab()
        else "JUPYTER"
        if is_jupyter()
        else "VS_CODE"
        if is_vscode_notebook()
        else None
    )
    flags = {"CI": is_ci(), "LANGCHAIN": is_langchain(), "NOTEBOOK_RUNTIME": notebook}
    return {name: value for name, value in flags.items() if value}


@lru_cache(maxsize=1)
def get_python_version() -> str:
    """Return for example `3.11.7 (CPython)`."""
    import platform  # noqa: PLC0415 -- for the sender's thread, like what follows

    return f"{platform.python_version()} ({platform.python_implementation()})"


@lru_cache(maxsize=1)
def get_os() -> str:
    """Return the system's name, on Google Colab with its release."""
    if is_colab():
        return f"Google Colab ({os.environ['COLAB_RELEASE_TAG']})"
    import platform  # noqa: PLC0415

    return platform.system()


def get_script_name() -> str | None:
    """Return the running script's file name."""
    argv = getattr(sys, "argv", None)
    return os.path.basename(argv[0].rstrip(os.sep)) or None if argv else None  # noqa: PTH119 -- six times quicker


@lru_cache(maxsize=1)
def find_colab_notebook() -> str | None:
    """Return the notebook's name, as Google Colab answers it. Goes to the network: for the sender's
    thread."""
    import json  # noqa: PLC0415 -- for the sender's thread

    try:
        connection = _heavy.load("http.client").HTTPConnection(
            *COLAB, timeout=2
        )  # this machine's own: no proxy
        try:
            connection.request("GET", COLAB_SESSIONS)
            name = json.loads(connection.getresponse().read(_COLAB_BYTES))[0]["name"]
        finally:
            connection.close()
    except Exception:  # noqa: BLE001 -- whatever is wrong with Colab, there is a script name to fall back on
        return None
    return name if isinstance(name, str) else None


@lru_cache(maxsize=1)
def find_host_version() -> str:
    """Return the version of the installed `airbyte` distribution, `0.0.0` if there is none. Reads files.

    PyAirbyte itself has looked it up by the time it reports anything.
    """
    known = getattr(sys.modules.get("airbyte.version"), "airbyte_version", None)
    if isinstance(known, str):
        return known
    try:
        return str(_heavy.load("importlib.metadata").version("airbyte"))
    except Exception:  # noqa: BLE001 -- a broken installation must not cost the event
        return "0.0.0"


def forget() -> None:
    """Look everything up again at next use."""
    for cached in (get_python_version, get_os, find_colab_notebook, find_host_version):
        cached.cache_clear()
