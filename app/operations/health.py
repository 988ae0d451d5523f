"""`/healthz`: the process answers. `/readyz`: events can be made durable."""

from fastapi import APIRouter, Response
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError


def check_database(engine: Engine, head: str) -> str | None:
    """What is wrong with the database, None if nothing is."""
    try:
        with engine.connect() as connection:
            revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError:
        return "database_unreachable"
    return None if revision == head else "schema_outdated"


def create_router(engine: Engine, head: str) -> APIRouter:
    """The health endpoints of a service on a database at Alembic revision `head`."""
    router = APIRouter(tags=["operations"])

    @router.get("/healthz", summary="The process answers")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @router.get(
        "/readyz", summary="Events can be made durable", responses={503: {"description": "They cannot"}}
    )
    def readyz(response: Response) -> dict[str, str]:
        fault = check_database(engine, head)
        if fault is None:
            return {"status": "ok", "revision": head}
        response.status_code = 503
        response.headers["Retry-After"] = "5"
        return {"status": "unavailable", "reason": fault}

    return router
