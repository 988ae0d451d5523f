"""Structured logs on stderr: keys and values on a terminal, elsewhere one JSON object a line. An exception is
logged by its type and its places, without message.

A message may quote the input that caused it (`KeyError: 'jane@example.com'`), so none is ever written.
"""

import logging
import sys
import traceback
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, Final

import structlog

from app.settings import wants_color

QUIET: Final = ("uvicorn.access", "httpx", "httpcore", "asyncio", "alembic")


def drop_message(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Return a record whose exception info is replaced by the type and the frames, innermost last."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    if isinstance(info, tuple) and info[0] is not None:
        frames = traceback.extract_tb(info[2])
        event["exception"] = info[0].__name__
        event["at"] = [f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in frames]
    return event


def choose_renderer() -> Any:
    """Return what writes a line: for a person, or for a program."""
    if sys.stderr is not None and sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(colors=wants_color(), pad_event_to=0)
    return structlog.processors.JSONRenderer()


def configure(level: str) -> None:
    """Send everything, the standard library's loggers too, through one formatter."""
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        drop_message,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                drop_message,
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                choose_renderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
