"""Bodies as SDKs send them. Their shapes were read in the sources; every value is made up here,
with a marker where it is dropped.

The marker is in every value that only the envelope holds, so a dump of the
database must not hold it anywhere.
"""

from typing import Any, Final

from tests.samples import clean_event

MARKER: Final = "qzenvelopeqz"
VERSION: Final = f"3.1.0-{MARKER}"
MOMENT: Final = "2026-11-23T01:59:41.123Z"


def message(number: int, **around: Any) -> dict[str, Any]:
    """A track message of its own, with what an SDK puts around it."""
    event = clean_event(number_of_records=number) | {"type": "track", "messageId": f"golden-{number}"}
    return event | around


def library(name: str, **more: Any) -> dict[str, Any]:
    """A context that says which SDK sent the event."""
    return {"library": {"name": name, "version": VERSION, **more}}


def bodies() -> dict[str, dict[str, Any]]:
    """The body of a batch by SDK: two events each."""
    return {
        "analytics-python": {
            "batch": [
                message(n, integrations={}, context=library("analytics-python"), userId=None)
                for n in (10, 11)
            ],
            "sentAt": MOMENT,
            "writeKey": MARKER,
        },
        "@segment/analytics-node": {
            "batch": [
                message(
                    n,
                    integrations={MARKER: False},
                    context=library("@segment/analytics-node"),
                    _metadata={"nodeVersion": f"v20.20.2-{MARKER}", "jsRuntime": "node"},
                )
                for n in (20, 21)
            ],
            "sentAt": MOMENT,
        },
        "analytics-go": {
            "messageId": MARKER,
            "sentAt": MOMENT,
            "batch": [message(n) for n in (30, 31)],
            "context": library("analytics-go"),
            "integrations": {MARKER: True},
        },
        "analytics-java": {
            "batch": [message(n, context=library("analytics-java"), integrations={}) for n in (40, 41)],
            "sentAt": "2026-11-23T01:59:41.123+0000",
            "context": library("analytics-java") | {"marker": MARKER},
            "sequence": 7,
            "writeKey": MARKER,
        },
        "analytics-ruby": {
            "sentAt": MOMENT,
            "batch": [
                message(n, context=library("analytics-ruby"), integrations=None, options=None, userId=None)
                for n in (50, 51)
            ],
        },
        "analytics-php": {
            "batch": [
                message(n, context=library("analytics-php", consumer=f"LibCurl{MARKER}")) for n in (60, 61)
            ],
            "sentAt": "2026-11-23T01:59:41+00:00",
        },
        "rudder-sdk-python": {
            "batch": [
                message(
                    n,
                    integrations={"All": True},
                    context=library("analytics-python"),
                    channel=f"server{MARKER}",
                    userId=None,
                )
                for n in (70, 71)
            ],
            "sentAt": "2026-11-23T01:59:41.123456+00:00",
        },
        "rudder-sdk-node": {  # it has no `timestamp`
            "batch": [
                untimed(
                    n,
                    context=library("analytics-node"),
                    channel="server",
                    _metadata={"nodeVersion": f"20.20.2-{MARKER}"},
                    sentAt=MOMENT,
                )
                for n in (80, 81)
            ],
            "timestamp": MOMENT,
            "sentAt": MOMENT,
            "marker": [MARKER],
        },
        **others(),
    }


def untimed(number: int, **around: Any) -> dict[str, Any]:
    """A message whose time is its `originalTimestamp`."""
    event = message(number, **around)
    return event | {"originalTimestamp": event.pop("timestamp")}


def others() -> dict[str, dict[str, Any]]:
    """The bodies of SDKs that fewer use, or that say more of where they run."""
    system = {
        "os": f"Unix 5.15.0.91 {MARKER}",
        "platform": ".NET 8.0.1.2",
        "instanceId": f"0b1b3f5e-5b0c-4f8e-9a5b-{MARKER}",
    }
    metadata = {"bundled": [MARKER], "unbundled": [], "bundledIds": []}
    browser = f"Mozilla/5.0 (X11; Linux x86_64) Chrome/113.0.0.0 {MARKER}/1.0"
    phone = {
        "app": {"name": MARKER, "version": "545", "build": "3.0.1.545", "namespace": f"com.{MARKER}"},
        "device": {"manufacturer": MARKER, "model": "iPhone7,2", "type": "ios"},
        "locale": f"de-{MARKER}",
        "network": {"bluetooth": False, "carrier": MARKER, "cellular": True, "wifi": False},
        "os": {"name": "iPhone OS", "version": f"8.1.3.0-{MARKER}"},
        "screen": {"width": 320, "height": 568, "density": 2},
        "timezone": "America/Argentina/Buenos_Aires",
        "userAgent": browser,
        "userAgentData": {"brands": [{"brand": MARKER, "version": "24.0.0.0"}], "mobile": False},
        "campaign": {"name": MARKER, "source": "Newsletter"},
        "page": {"path": f"/{MARKER}/", "search": "", "title": MARKER},
        "sessionId": 1_700_000_000_123,
    }
    return {
        "Analytics-CSharp": {
            "batch": [
                message(
                    n,
                    context=library("Analytics-CSharp", core="1.2.3.4") | system,
                    _metadata=metadata,
                    userId=None,
                    metrics=None,
                )
                for n in (90, 91)
            ],
            "sentAt": "2026-11-23T01:59:41.1234567Z",
            "writeKey": MARKER,
        },
        "analytics-kotlin": {
            "batch": [
                message(
                    n,
                    context=library("analytics-kotlin", instanceId=MARKER),
                    integrations={},
                    userId="",
                    _metadata=metadata,
                )
                for n in (150, 151)
            ],
            "sentAt": MOMENT,
            "writeKey": MARKER,
        },
        "analytics-swift": {
            "batch": [message(n, context=library("analytics-swift") | phone) for n in (100, 101)],
            "sentAt": MOMENT,
        },
        "analytics-go, with a context for all": {
            "messageId": MARKER,
            "sentAt": MOMENT,
            "batch": [message(n) for n in (110, 111)],
            "context": library("analytics-go", build="3.0.1.545") | phone,
        },
        "rudder-sdk-go": {
            "batch": [
                untimed(n, channel="server", sentAt=MOMENT, context=library("analytics-go"))
                for n in (120, 121)
            ]
        },
        "rudder-sdk-rust": {
            "batch": [
                {key: value for key, value in event.items() if key != "messageId"}
                for event in (
                    untimed(130, channel=MARKER, sentAt=MOMENT, context=library("rudder-sdk-rust")),
                    untimed(131, channel=MARKER, sentAt=MOMENT, context=library("rudder-sdk-rust")),
                )
            ],
            "context": {},
            "integrations": None,
        },
        "rudder-sdk-.net": {
            "messageId": MARKER,
            "sentAt": "2026-11-23T01:59:41.1234567Z",
            "batch": [
                message(n, channel="server", integrations={"All": True}, context=library("RudderAnalytics"))
                for n in (140, 141)
            ],
        },
    }


def archived(number: int) -> dict[str, Any]:
    """A line of an archive: what Segment adds holds addresses and user agents,
    of which nothing may be read."""
    address = f"198.51.100.{number % 200}"
    return message(
        number,
        userId=None,
        channel="server",
        version=2,
        projectId=f"p{MARKER}",
        originalTimestamp=MOMENT,
        receivedAt=MOMENT,
        sentAt=MOMENT,
        _metadata={"bundled": [MARKER], "unbundled": [], "bundledIds": []},
        integrations={"All": True, "jane@example.com": False},
        context={
            **library("http"),
            "ip": address,
            "userAgent": f"Mozilla/5.0 {MARKER} jane@example.com",
            "locale": "de-DE",
            "traits": {"email": f"jane.{MARKER}@example.com"},
            "page": {"url": "https://example.com/home/jane", "a": {"b": {"c": {"d": {"e": MARKER}}}}},
            "device": {"id": MARKER, "filler": "x" * 40_000},
        },
    )
