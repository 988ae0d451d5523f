"""What OpenAPI says of problems: one schema, and for each operation the codes that it answers."""

from typing import Any, Final

from app.problems import CODES, PROBLEM_TYPE

SCHEMA: Final = {
    "type": "object",
    "description": "RFC 9457 problem; `code` is stable. It never holds any part of the input.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "message": {"type": "string"},
        "success": {"const": False},
        "rule": {"type": "string", "description": "which rule was broken (400, 422)"},
        "path": {"type": "string", "description": "schema path of the refused field (422)"},
        "results": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Result"},
            "description": "of a batch whose events are all refused (422)",
        },
    },
    "required": ["type", "title", "status", "detail", "code", "message", "success"],
}


def describe_problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """Return the responses of an operation that answers these codes, by status, as FastAPI takes them."""
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code].status, []).append(f"`{code}`: {CODES[code].means}")
    content = {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        status: {"description": " ".join(said), "content": content}
        for status, said in sorted(by_status.items())
    }
