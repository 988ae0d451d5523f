"""`/metrics`, for Prometheus."""

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector


def create_router(shared_folder: str | None) -> APIRouter:
    """The metrics endpoint; `shared_folder` is where the workers of one machine put their numbers together."""
    router = APIRouter(tags=["operations"])

    @router.get("/metrics", summary="Prometheus metrics", response_class=Response)
    def metrics() -> Response:
        registry = REGISTRY
        if shared_folder is not None:
            registry = CollectorRegistry()
            MultiProcessCollector(registry, path=shared_folder)  # type: ignore[no-untyped-call]
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return router
