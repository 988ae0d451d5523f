"""What SDKs, proxies and archives put around an event: transport keys, which
cost no event and are never kept.

Inside an event the world is closed (`app.contract.wire`); around it, it is open. The lists say who
sends a key: of Segment's and RudderStack's server SDKs as read in their sources; of archives, proxies,
mobile and .NET SDKs as their documents have it, or earlier reports of it. What becomes of the values is
decided in `app.privacy.envelope`.
"""

from collections.abc import Mapping
from typing import Any, Final

# Keys of one event that are dropped, and who sends them.
DROPPED: Final[Mapping[str, str]] = {
    "integrations": "every SDK of Segment and RudderStack, as {} or {All: true}",
    "context": "every SDK of Segment and RudderStack, with `library`",
    "_metadata": "@segment/analytics-node and rudder-sdk-node: versions of Node; Segment's archives: "
    "integrations",
    "channel": "RudderStack's SDKs: server; Segment's archives",
    "originalTimestamp": "Segment's archives; RudderStack's Node, Go and Rust SDKs instead of `timestamp`",
    "receivedAt": "Segment's archives and proxies",
    "version": "Segment's archives: of their format",
    "projectId": "Segment's archives",
    "requestId": "Segment's proxies and archives",
    "options": "analytics-ruby, as null",
    "metrics": "Segment's C# and Swift SDKs, which have the key and set nothing",
}
# Keys of `context` that are dropped; any other is refused. Servers' SDKs send `library` by themselves, and
# no more but for C# and Kotlin; the rest is sent by phones, or because a caller has set it.
CONTEXT: Final[Mapping[str, str]] = {
    "library": "every SDK of Segment and RudderStack: its name and version",
    "active": "Segment's older Node and mobile SDKs",
    "direct": "Segment's proxies",
    "channel": "RudderStack's SDKs",
    "instanceId": "Segment's .NET and Kotlin SDKs: of the running process",
    "protocols": "Segment's archives",
    "app": "Segment's Swift and Android SDKs: name, version and build of the program",
    "os": "Segment's C# SDK as text, Swift and Android SDKs: name and version",
    "platform": "Segment's C# SDK: .NET, Unity or Xamarin",
    "runtime": "nobody by itself; a caller's word for the interpreter",
    "device": "Segment's Swift and Android SDKs: make, model and type, beside an `id`, which is refused",
    "locale": "Analytics.js, Segment's Swift and Android SDKs",
    "timezone": "Analytics.js, Segment's Swift and Android SDKs",
    "screen": "Segment's Swift and Android SDKs: width, height, density",
    "network": "Segment's Swift and Android SDKs: wifi, cellular, carrier",
    "userAgent": "Analytics.js, Segment's Swift and Android SDKs: what every request has as a header",
    "userAgentData": "Analytics.js: brands and versions of the browser",
    "campaign": "Analytics.js: the name of an advertisement",
    "page": "Analytics.js: a web address in it is refused",
    "referrer": "Analytics.js: a web address in it is refused",
    "sessionId": "RudderStack's JavaScript and mobile SDKs: a number of the visit",
    "sessionStart": "RudderStack's JavaScript and mobile SDKs: whether the visit begins",
    "consent": "Segment's consent wrappers: which categories were agreed to",
}
# Keys of a batch that mean something; around them anything is dropped.
BATCH_KEYS: Final = frozenset({"batch", "sentAt", "writeKey"})
# What the services that archived an event wrote into its line: dropped there without being read. Segment the
# first four; RudderStack and Jitsu the sender's address; RudderStack a hash of the user's ids.
UNREAD_IN_ARCHIVES: Final = frozenset(
    {"context", "integrations", "ip", "userAgent", "request_ip", "requestIp", "rudderId"}
)
# What names or locates a person, a person's device or organisation is refused by its name.
PERSONAL_CONTEXT: Final = (
    *("ip", "traits", "location", "groupId", "externalId"),
    *("device.id", "device.advertisingId", "device.token", "device.name"),
)
UNSUPPORTED_TYPES: Final = ("identify", "page", "screen", "group", "alias")

KEY_BYTES: Final = 1_024  # of one dropped value, as JSON
BATCH_BYTES: Final = 8_192  # of all that is dropped from a batch, as JSON

# What is sure to be accepted: said in the published schema, which knows no detector.
SHORT_WORD: Final = {"type": "string", "pattern": "^@?[A-Za-z][A-Za-z-]{0,31}(/[A-Za-z-]{1,32})?$"}
SHORT_VERSION: Final = {"type": "string", "pattern": "^v?[0-9]{1,3}(\\.[0-9]{1,3}){2,3}$"}
MOMENT_SCHEMA: Final = {"type": "string", "format": "date-time"}


def nullable(schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    """Return the schema of a key that may be null."""
    return {"anyOf": [dict(schema), {"type": "null"}], "description": f"Dropped. Sent by {description}."}


def flat(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an object with these keys and no others, none of them required."""
    return {"type": "object", "properties": dict(properties), "additionalProperties": False}


def build_schema() -> dict[str, Any]:
    """Return the JSON Schema of the keys of one event that are dropped: of each the forms that SDKs send."""
    library = flat(name=SHORT_WORD, version=SHORT_VERSION)
    forms: dict[str, Mapping[str, Any]] = {
        "integrations": flat(All={"type": "boolean"}),
        "context": flat(library={"anyOf": [library, {"type": "null"}]}, active={"type": ["boolean", "null"]}),
        "_metadata": flat(nodeVersion=SHORT_VERSION, jsRuntime=SHORT_WORD),
        "channel": SHORT_WORD,
        "originalTimestamp": MOMENT_SCHEMA,
        "receivedAt": MOMENT_SCHEMA,
        "version": {"type": "integer", "minimum": 0, "maximum": 99},
        "projectId": SHORT_WORD,
        "requestId": SHORT_WORD,
        "options": flat(),
        "metrics": {"enum": [[]]},
    }
    return {key: nullable(forms[key], sender) for key, sender in DROPPED.items()}
