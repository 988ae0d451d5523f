"""`/metrics`, for Prometheus."""

from typing import Final

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from app import __version__

BUILD: Final = Gauge(
    "telemetry_build_info",
    "1, under the version that runs and the revision of the database that it knows.",
    ("version", "revision"),
    multiprocess_mode="livemax",
)


def create_router(shared_folder: str | None, revision: str) -> APIRouter:
    """The metrics endpoint; `shared_folder` is where the workers of one machine put their numbers together."""
    BUILD.labels(__version__, revision).set(1)
    router = APIRouter(tags=["operations"])

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    def metrics() -> Response:
        registry = REGISTRY
        if shared_folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=shared_folder)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
