"""The wire as JSON Schema: what it accepts is accepted. Narrower than the service where a
validator could not follow it."""

from typing import Any, Final

from app.contract import envelope
from app.contract.wire import EVENT

KEPT_OUT: Final = {"anyOf": [{"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}, {"type": "null"}]}
# What `app.privacy.examination.lacks_session` refuses: only PyAirbyte up to 0.7.1
# leaves a session or a hash out.
SESSIONS: Final[list[dict[str, Any]]] = [
    {
        "required": ["session_id", "application_hash"],
        "properties": {"session_id": {"type": "string"}, "application_hash": {"type": "string"}},
    },
    {
        "required": ["ip"],
        "properties": {"ip": {"type": "string"}, "application_hash": {"type": "null"}},
    },
]


def build_schema(ref_template: str = "#/$defs/{model}") -> dict[str, Any]:
    """Return the JSON Schema of one track event with what SDKs put around it.
    References follow `ref_template`."""
    schema = EVENT.json_schema(ref_template=ref_template)
    schema["$defs"]["Properties"]["anyOf"] = SESSIONS
    schema["properties"] |= envelope.build_schema()
    schema["properties"]["writeKey"] = KEPT_OUT | {"description": "Where no `Authorization` header names it."}
    return schema
