"""`/metrics`, for Prometheus."""

import os
import re
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from app import __version__

GAUGE: Final = re.compile(r"gauge_live\w*_(\d+)\.db", re.ASCII)
BUILD: Final = Gauge(
    "telemetry_build_info",
    "1, under the version that runs and the revision of the database that it knows.",
    ("version", "revision"),
    multiprocess_mode="livemax",
)


def create_router(shared_folder: str | None, revision: str) -> APIRouter:
    """Return the metrics endpoint; `shared_folder` is where the workers of one machine
    put their numbers together."""
    BUILD.labels(__version__, revision).set(1)
    router = APIRouter(tags=["operations"])

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    def metrics() -> Response:
        registry = REGISTRY
        if shared_folder is not None:
            forget_dead_workers(Path(shared_folder))
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=shared_folder)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router


def forget_dead_workers(folder: Path) -> None:
    """Take the gauges of workers away that are gone: what waited with one of them waits with
    another now. Counters stay."""
    pids = {int(match[1]) for file in folder.iterdir() if (match := GAUGE.fullmatch(file.name))}
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
