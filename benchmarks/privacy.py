"""What privacy costs: a clean event beside plain validation, and the worst events that fit into 32 KiB."""

# Size: one experiment in one file.
import base64
import datetime as dt
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from app.contract.document import ParsedEvent, parse
from app.contract.limits import EVENT_BYTES
from app.contract.vocabulary import shipped_connectors
from app.contract.wire import EVENT, validate
from app.privacy.detector import detect
from app.privacy.detector.automata import AUTOMATA
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import VerdictContext, judge
from app.problems import Problem

ROOM: Final = EVENT_BYTES - 1_000  # for a value beside the rest of an event
CALLS: Final = 200
WORST_MS: Final = 5.0
MOST_OVERHEAD: Final = 0.5
CONNECTORS: Final = shipped_connectors()
VERDICT_CONTEXT: Final = VerdictContext(CONNECTORS, Pseudonyms("k" * 32))
ARRIVAL: Final = Arrival(dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC), 1, b"key")
HASH: Final = "1ca1a99b5402cadc0832d624ce05678fd106be2c486617b1d4568b52ade12430"
CLEAN: Final = {
    "anonymousId": "01M831Y67Z4Z89BH0DGHDMT1M9",
    "event": "sync",
    "properties": {
        "session_id": "01M8322HVQJ1FKNYHW4HTKE73H",
        "state": "succeeded",
        "version": "0.71.3",
        "python_version": "3.11.7 (CPython)",
        "os": "Linux",
        "application_hash": HASH,
        "flags": {"CI": False},
        "source": {
            "name": "source-faker",
            "executor_type": "VenvExecutor",
            "version": "7.2.1",
            "config_hash": HASH,
        },
        "cache": {"type": "DuckDBCache", "config_hash": HASH},
        "number_of_records": 100,
    },
    "timestamp": "2026-11-23T01:59:40.914712+00:00",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What one adversarial event costs to decide on: the best of several times, and the first."""

    name: str
    size: int
    verdict: str
    best_ms: float
    first_ms: float


def time_calls(call: Callable[[], object], calls: int) -> tuple[float, float]:
    """Microseconds of the process a call takes, by its own clock, so that what else runs
    counts little: first, best."""
    times = []
    for _ in range(calls):
        started = time.process_time_ns()
        call()
        times.append((time.process_time_ns() - started) / 1_000)
    return times[0], min(times)


def repeat(call: Callable[[], object]) -> Callable[[], object]:
    """Return the call many times over: one is too short for the clock."""

    def calls() -> None:
        for _ in range(CALLS):
            call()

    return calls


def measure_clean(rounds: int) -> dict[str, float]:
    """Microseconds a clean event takes, step by step; the steps take turns, so
    that all meet the same machine."""
    raw = json.dumps(CLEAN).encode()
    value = orjson.loads(raw)
    withheld = json.dumps(CLEAN).replace("source-faker", "source-acme").encode()
    steps: dict[str, Callable[[], object]] = {
        "plain: orjson.loads + validate": lambda: EVENT.validate_python(
            orjson.loads(raw), context=CONNECTORS
        ),
        "ours: parse + validate": lambda: validate(parse(raw).value, CONNECTORS),
        "parse alone, with the check for repeated keys": lambda: parse(raw),
        "validate alone": lambda: validate(value, CONNECTORS),
        "whole verdict: parse, judge, pseudonyms": lambda: judge(
            ParsedEvent(parse(raw).value), ARRIVAL, VERDICT_CONTEXT
        ),
        "whole verdict, one name withheld": lambda: judge(
            ParsedEvent(parse(withheld).value), ARRIVAL, VERDICT_CONTEXT
        ),
        "detector alone, one name": lambda: detect("source-acme-internal"),
        "detector's automata alone, this event's 800 bytes": lambda: [each.match(raw) for each in AUTOMATA],
    }
    best = dict.fromkeys(steps, float("inf"))
    for _ in range(rounds):
        for name, step in steps.items():
            best[name] = min(best[name], time_calls(repeat(step), 1)[1] / CALLS)
    return best


def spoil(value: object) -> bytes:
    """Return a clean event with this anonymous id."""
    return json.dumps(CLEAN | {"anonymousId": value}, ensure_ascii=False, separators=(",", ":")).encode()


def fill(unit: str) -> bytes:
    """Return an event whose anonymous id repeats a text until it is full."""
    return spoil(unit * (ROOM // len(json.dumps(unit, ensure_ascii=False).encode()[1:-1])))


def scatter(random: Random, alphabet: str) -> bytes:
    """Return an event whose anonymous id is random over an alphabet."""
    return spoil("".join(random.choices(alphabet, k=ROOM)))


# Size: one line a way to be slow.
def worst_events(random: Random) -> dict[str, bytes]:
    """Events of nearly 32 KiB, each made to be dear in another way."""
    keys = {f"{number:x}": 0 for number in range(3_600)}
    flags = {
        "A" + "".join(chr(65 + number // 26**place % 26) for place in range(3)): True
        for number in range(2_600)
    }
    words = [base64.b64encode(b"abc d %d" % number).decode() for number in range(1_900)]
    digits, hexadecimal = "0123456789", "0123456789abcdef"
    properties: dict[str, Any] = CLEAN["properties"]  # type: ignore[assignment]
    escapes = {
        "repeated key behind escapes": "\\u003a",
        "escaped backslashes": "\\\\",
        "escaped letters": "\\u0041",
    }
    return {
        **{
            name: spoil("?").replace(b"?", text.encode() * (ROOM // len(text)))
            for name, text in escapes.items()
        },
        "unknown keys": json.dumps(CLEAN | keys, separators=(",", ":")).encode(),
        "unknown properties": json.dumps(
            CLEAN | {"properties": properties | keys}, separators=(",", ":")
        ).encode(),
        "unknown flags": json.dumps(
            CLEAN | {"properties": properties | {"flags": flags}}, separators=(",", ":")
        ).encode(),
        "array of numbers": spoil([1] * (ROOM // 2)),
        "array of decimals": spoil([0.4111111111111111] * (ROOM // 19)),
        "array of strings": spoil(["a"] * (ROOM // 4)),
        "array of escapes": spoil(["\n\\"] * (ROOM // 7)),
        "array of objects": spoil([{}] * (ROOM // 3)),
        "object of arrays": spoil({f"{number:x}": [] for number in range(3_200)}),
        "huge numbers": spoil([10**4_000 - 1] * (ROOM // 4_001)),
        "nesting": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        "nesting in arrays": b'{"a":' + b"[{}," * 5_500 + b"1" + b"]" * 5_500 + b"}",
        "percent-encoded twice": fill("%2541"),
        "percent signs": fill("%"),
        "percent-encoded Unicode": fill("%E3%80%82"),
        "base64 words": fill(" ".join(words)[:1_000]),
        "base64 of base64": spoil(
            base64.b64encode(base64.b64encode(random.randbytes(ROOM // 2 - 500))).decode()
        ),
        "base64 of text": spoil(base64.b64encode(b"a b.c:" * (ROOM // 8 - 1)).decode()),
        "near card numbers": fill("4111111111111112 "),
        "near card numbers in groups": fill("4111 "),
        "near IBANs": fill("DE89370400440532013001 "),
        "beginnings of IBANs": fill("DE12 "),
        "decomposing characters": fill("\ufdfa"),
        "combining marks": fill("\u0301\u0323"),
        "mathematical letters": fill("\U0001d41a"),
        "invisible characters": fill("\u200b"),
        "every character once": spoil("".join(map(chr, range(0x3400, 0x3400 + ROOM // 3)))),
        "at signs": fill("a@b."),
        "half URLs": fill("a://"),
        "half secrets": fill("password "),
        "half DSNs": fill("host=a user "),
        "one letter": fill("x"),
        "random digits": scatter(random, digits),
        "random digits and marks": scatter(random, digits + " .-()+"),
        "random hexadecimal and colons": scatter(random, hexadecimal + ":"),
        "random hexadecimal and hyphens": scatter(random, hexadecimal + "-"),
        "random hexadecimal and dots": scatter(random, hexadecimal + "."),
        "random letters and digits": scatter(random, "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + digits),
        "random base64": scatter(random, "ABCDEFabcdef0123456789+/"),
    }


def decide(raw: bytes) -> str:
    """Return what becomes of a body, in one word."""
    try:
        document = parse(raw)
    except Problem as problem:
        return problem.rule or problem.code
    verdict = judge(ParsedEvent(document.value, document.clean), ARRIVAL, VERDICT_CONTEXT)
    return verdict.reason or ("withheld" if verdict.withheld else "accepted")


def render_clean(microseconds: Mapping[str, float]) -> Table:
    """Return one row a step."""
    plain, *_ = microseconds.values()
    table = Table(title="A clean event")
    for column in ("step", "µs", "of plain"):
        table.add_column(column, justify="left" if column == "step" else "right")
    for name, taken in microseconds.items():
        table.add_row(name, f"{taken:.2f}", f"{taken / plain:.2f}")
    return table


def measure_worst(random: Random, rounds: int) -> list[Cost]:
    """Return what each adversarial event costs, the dearest first."""
    costs = []
    for name, raw in worst_events(random).items():
        if len(raw) > EVENT_BYTES:
            raise ValueError(f"{name} is larger than an event may be")
        first, best = time_calls(partial(decide, raw), rounds)
        costs.append(Cost(name, len(raw), decide(raw), best / 1_000, first / 1_000))
    return sorted(costs, key=lambda cost: -cost.best_ms)


def render_worst(costs: list[Cost], shown: int) -> Table:
    """Return the dearest events."""
    table = Table(title=f"The dearest {shown} of {len(costs)} adversarial events")
    for column in ("event", "bytes", "verdict", "best ms", "first ms"):
        table.add_column(column, justify="left" if column in ("event", "verdict") else "right")
    for cost in costs[:shown]:
        table.add_row(cost.name, str(cost.size), cost.verdict, f"{cost.best_ms:.2f}", f"{cost.first_ms:.2f}")
    return table


def main(
    rounds: Annotated[int, typer.Option(help="Times to measure each; the best counts.", min=1)] = 15,
    shown: Annotated[int, typer.Option(help="Adversarial events to show.", min=1)] = 15,
    seed: Annotated[int, typer.Option(help="Of the random ones.")] = 1,
) -> None:
    """Measure what the privacy rules cost."""
    console = Console(width=110)
    clean = measure_clean(rounds)
    console.print(render_clean(clean))
    plain, ours, *_ = clean.values()
    costs = measure_worst(Random(seed), rounds)
    console.print(render_worst(costs, shown))
    worst = costs[0].best_ms
    console.print(
        f"clean event: {ours / plain - 1:+.0%} over plain validation (at most {MOST_OVERHEAD:+.0%})"
    )
    console.print(f"worst adversarial event: {worst:.2f} ms (under {WORST_MS} ms)")
    console.print(f"command: python -m benchmarks.privacy {' '.join(sys.argv[1:])}", highlight=False)
    if ours / plain - 1 > MOST_OVERHEAD or worst >= WORST_MS:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
