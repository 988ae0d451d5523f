"""`/v1/forget` and `/v1/receipts/{id}`: whoever holds an anonymous id may have
everything under it deleted."""

import asyncio
import datetime as dt
from collections.abc import Callable
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Path, Request
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from app.contract.document import find_fault, parse
from app.erasure import forget
from app.privacy.pseudonyms import to_ms
from app.problems import Problem, TelemetryError
from app.store.journal import Journal, Key
from app.web import prefix
from app.web.openapi import describe_problems
from app.web.peers import Peers
from app.web.throttle import Rate, Throttle

log = structlog.get_logger()

BODY_BYTES: Final = 1024
COMMIT_SECONDS: Final = 2.0
EACH: Final = Rate(burst=30, per_second=0.5)
# For whoever shares an address with somebody who asks too often; less than all together, so that
# other addresses have theirs.
RESERVE: Final = Rate(burst=100, per_second=1)
ALL_TOGETHER: Final = Rate(burst=500, per_second=5)

UNAVAILABLE: Final = Problem("database_unavailable", "The database cannot answer right now.")
TOO_LARGE: Final = Problem("too_large", "The body is larger than 1 KiB.")
WRONG_TYPE: Final = Problem("unsupported_media_type", "The body must be application/json.")
NOT_AN_OBJECT: Final = Problem("malformed", "The body must be a JSON object.", rule="not_an_object")
UNKNOWN_KEY: Final = Problem(
    "not_forgettable", "The body takes `anonymousId` and nothing else.", rule="unknown_key", path="*"
)
NOT_AN_ID: Final = Problem(
    "not_forgettable",
    "`anonymousId` must be the ULID or the lower-case UUID of one installation. `airbyte-lib-user`, "
    "which old versions "
    "shared, is nobody's.",
    rule="pattern",
    path="anonymousId",
)
NO_RECEIPT: Final = Problem("not_found", "There is no such receipt, or it is over.")
ReceiptId = Annotated[str, Path(max_length=64, description="The receipt's `id`.")]


def create_router(  # Size: FastAPI takes the description of each endpoint with it
    write_engine: AsyncEngine, engine: Engine, journal: Journal, peers: Peers, wake: Callable[[], None]
) -> APIRouter:
    """Return the endpoints of *forget me*. They need no key: the id itself is the proof.
    `wake` starts the deletion."""
    pseudonyms = journal.pseudonyms
    router = APIRouter(tags=["privacy"])
    throttle = Throttle(EACH, ALL_TOGETHER, reserve=RESERVE)

    @router.post(
        "/v1/forget",
        status_code=202,
        summary="Delete everything under an anonymous id, and store nothing under it any more",
        description="The answer is the same whether or not there is anything under the id.",
        openapi_extra={"requestBody": BODY},
        responses=describe_problems(
            "malformed",
            "too_large",
            "unsupported_media_type",
            "not_forgettable",
            "too_many_requests",
            "database_unavailable",
        ),
    )
    async def post_forget(request: Request) -> dict[str, str]:
        raw = await read_body(request)
        wait = throttle.admit(peers.find(request.scope))
        if wait is not None:
            raise Problem("too_many_requests", "Too many requests to forget.", retry_after=min(wait, 300))
        anonymous_id = read_id(raw)
        key = forget.key_of(pseudonyms, anonymous_id)
        statement = forget.tombstone(key, dt.datetime.now(dt.UTC))
        try:
            async with asyncio.timeout(COMMIT_SECONDS), write_engine.connect() as connection:
                requested_at = (await connection.execute(statement)).scalar_one()
        except (SQLAlchemyError, TimeoutError):
            raise UNAVAILABLE.fresh() from None
        wake()
        await keep(journal, key, requested_at)
        receipt = pseudonyms.receipt(to_ms(requested_at))
        return {
            "id": receipt,
            "status": "pending",
            "url": f"{prefix.of(request.scope)}/v1/receipts/{receipt}",
        }

    @router.get(
        "/v1/receipts/{id}",
        summary="Whether what was asked for is done",
        description="`done` once all that was stored under the id at the time of the request is "
        "deleted, for as long as nothing is "
        "stored under it. What was on its way then is deleted within the hour after it. 404 when the "
        "receipt is over: "
        "another request for the same id took its place, or nothing has come in under the id for long.",
        responses=describe_problems("not_found", "database_unavailable"),
    )
    def get_receipt(id: ReceiptId) -> dict[str, str]:
        requested_ms = pseudonyms.receipt_ms(id)
        if requested_ms is None:
            raise NO_RECEIPT.fresh()
        try:
            with engine.connect() as connection:
                is_done = connection.execute(forget.progress(requested_ms)).scalar_one()
        except SQLAlchemyError:
            raise UNAVAILABLE.fresh() from None
        # A database that has lost the tombstone, by an old backup, gets it again.
        if is_done is None and not is_kept(journal, requested_ms):
            raise NO_RECEIPT.fresh()
        return {"id": id, "status": "done" if is_done else "pending"}

    return router


async def keep(journal: Journal, key: Key, requested_at: dt.datetime) -> None:
    """Keep a tombstone outside the database, too. Where that fails it is tried again:
    `replay` finds it in the database."""
    try:
        await asyncio.to_thread(journal.append, key, requested_at)
    except (OSError, TelemetryError) as error:
        log.warning("tombstone_not_kept", error=type(error).__name__)


def is_kept(journal: Journal, requested_ms: int) -> bool:
    """Return whether the data directory knows a request of that time."""
    try:
        return journal.holds(requested_ms)
    except (OSError, TelemetryError):
        return False


async def read_body(request: Request) -> bytes:
    """Return the body, at most 1 KiB of it. Raises Problem 413 or 415."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise WRONG_TYPE.fresh()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_BYTES:
            raise TOO_LARGE.fresh()
    return bytes(body)


def read_id(raw: bytes) -> str:
    """Return the anonymous id of a body. Raises Problem 400 or 422, which hold nothing of it."""
    document = parse(raw)
    fault = None if document.clean else find_fault(document.value)
    if fault is not None:
        raise Problem("malformed", "The body is no proper JSON.", rule=fault)
    if not isinstance(document.value, dict):
        raise NOT_AN_OBJECT.fresh()
    if not {"anonymousId"}.issuperset(document.value):
        raise UNKNOWN_KEY.fresh()
    anonymous_id = document.value.get("anonymousId")
    if not isinstance(anonymous_id, str) or not forget.is_forgettable(anonymous_id):
        raise NOT_AN_ID.fresh()
    return anonymous_id


BODY: Final = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "anonymousId": {"type": "string", "description": "a ULID or a lower-case UUID"}
                },
                "required": ["anonymousId"],
                "additionalProperties": False,
            }
        }
    },
}
