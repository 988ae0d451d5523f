"""What OpenAPI says of the ingest endpoints, which are outside FastAPI."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import FastAPI

from app.contract import schema as wire_schema
from app.contract.limits import BATCH_BYTES, BATCH_EVENTS, EVENT_BYTES
from app.web.openapi import SCHEMA, describe_problems

RESULT: Final = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "ULID of the event; a retry gets the same"},
        "outcome": {"enum": ["accepted", "duplicate", "queued", "expired", "forgotten", "rejected"]},
        "reason": {"type": "string"},
        "path": {"type": "string"},
        "withheld": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["id", "outcome"],
}
BATCH: Final = {
    "type": "object",
    "properties": {
        "batch": {"type": "array", "maxItems": BATCH_EVENTS, "items": {"$ref": "#/components/schemas/Event"}},
        "sentAt": {"type": "string", "format": "date-time"},
        "writeKey": {"type": "string"},
    },
    "required": ["batch"],
    "additionalProperties": True,
    "description": "Any other key is dropped.",
}
PROBLEMS: Final = (
    "malformed",
    "unauthorized",
    "missing_scope",
    "method_not_allowed",
    "too_large",
    "unsupported_media_type",
    "too_many_requests",
    "internal",
    "database_unavailable",
)
# Of endpoints that store what they get.
OF_STORING: Final = ("event_refused", "not_stored", "overloaded")


WRITE_KEY: Final = {
    "type": "http",
    "scheme": "basic",
    "description": "user name: the write key; no password",
}


def operation(
    name: str,
    summary: str,
    body: Mapping[str, Any],
    reply: Mapping[str, Any],
    *further: str,
    answer: str = "Durable.",
) -> dict[str, Any]:
    """Return one POST operation of the OpenAPI document; `further` are the codes that
    it answers beside `PROBLEMS`."""
    responses: dict[str, Any] = {
        "200": {"description": answer, "content": {"application/json": {"schema": reply}}},
        "204": {"description": "`DNT: 1` or `Sec-GPC: 1`: nothing was stored."},
    }
    problems = describe_problems(*PROBLEMS, *further)
    responses |= {str(status): response for status, response in problems.items()}
    return {
        "post": {
            "operationId": name,
            "summary": summary,
            "tags": ["ingest"],
            "security": [{"writeKey": []}],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": responses,
        }
    }


def add_reference(app: FastAPI) -> None:
    """Add the ingest endpoints to the OpenAPI document of the app."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            add_endpoints(generate())
        return generate()

    app.openapi = openapi  # type: ignore[method-assign]


def add_endpoints(document: dict[str, Any]) -> None:
    """Write paths, schemas and the security scheme into an OpenAPI document."""
    event = wire_schema.build_schema(ref_template="#/components/schemas/{model}")
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas.update({**event.pop("$defs", {}), "Event": event, "Problem": SCHEMA, "Result": RESULT})
    components.setdefault("securitySchemes", {})["writeKey"] = WRITE_KEY
    reference = {"$ref": "#/components/schemas/Event"}
    result = {"$ref": "#/components/schemas/Result"}
    results = {"type": "object", "properties": {"results": {"type": "array", "items": result}}}
    either = {"anyOf": [reference, BATCH]}
    document["paths"].update(
        {
            "/v1/track": operation(
                "track", f"Send one event of at most {EVENT_BYTES} bytes", reference, result, *OF_STORING
            ),
            "/v1/batch": operation(
                "batch", f"Send up to {BATCH_EVENTS} events, {BATCH_BYTES} bytes", BATCH, results, *OF_STORING
            ),
            "/v1/b": operation(
                "b",
                "`/v1/batch` under the name that Segment's SDKs for phones use",
                BATCH,
                results,
                *OF_STORING,
            ),
            "/v1/import": operation(
                "import_history", "Send history: times are kept as they are", BATCH, results, *OF_STORING
            ),
            "/v1/validate": operation(
                "validate",
                "Dry run: the same verdicts, nothing stored",
                either,
                results,
                answer="The verdicts.",
            ),
        }
    )
