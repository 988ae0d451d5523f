"""The adversarial suite against the decision itself and against the running service."""

import datetime as dt
from collections import Counter
from typing import Any

import httpx
import pytest

from app.contract.document import ParsedEvent, parse
from app.contract.vocabulary import shipped_connectors
from app.privacy.detector import KINDS
from app.privacy.projection import Arrival
from app.privacy.pseudonyms import Pseudonyms
from app.privacy.verdict import Verdict, VerdictContext, judge
from app.problems import Problem
from tests.privacy.adversarial import Case, patched, read_cases
from tests.service import Service

CASES = read_cases()
VERDICT_CONTEXT = VerdictContext(shipped_connectors(), Pseudonyms("k" * 32))
ARRIVAL = Arrival(dt.datetime(2026, 11, 23, 2, 0, tzinfo=dt.UTC), 1, b"key")
PURE = [
    case
    for case in CASES
    if case.url == "/v1/track" and not case.headers and not case.gzip and case.status != 413
]


def judge_content(content: bytes) -> Verdict | Problem:
    try:
        document = parse(content)
    except Problem as problem:
        return problem
    return judge(ParsedEvent(document.value, document.clean), ARRIVAL, VERDICT_CONTEXT)


@pytest.mark.parametrize("case", PURE, ids=lambda case: case.case)
def test_the_decision(case: Case) -> None:
    verdict = judge_content(case.content)
    if isinstance(verdict, Problem):
        assert (verdict.status, verdict.rule) == (case.status, case.rule or verdict.rule)
    elif verdict.malformed:
        assert (400, verdict.reason) == (case.status, case.rule or verdict.reason)
    else:
        assert (verdict.reason, verdict.path) == (case.rule, case.path)
        assert verdict.rejected or list(verdict.withheld) == case.withheld
        assert case.status == (422 if verdict.rejected else 200)


def describe_reply(case: Case, reply: httpx.Response) -> dict[str, Any]:
    """What a reply says, in the words of a case."""
    if reply.status_code == 204:
        return {"status": 204}
    body = reply.json()
    if "results" in body:
        outcomes = [[each["outcome"], each.get("reason"), each.get("path")] for each in body["results"]]
        return {"status": reply.status_code, "results": outcomes}
    said = {"status": reply.status_code, "withheld": body.get("withheld", [])}
    if reply.status_code >= 400:
        said |= {"rule": body.get("rule"), "path": body.get("path"), "code": body["code"]}
        assert reply.headers["content-type"] == "application/problem+json"
    else:
        assert body["outcome"] in ("accepted", "duplicate")
    return said


def expectation(case: Case, said: dict[str, Any]) -> dict[str, Any]:
    """What a case wants of the things that its reply says."""
    wanted: dict[str, Any] = {"status": case.status}
    if "results" in said:
        return wanted | {"results": case.results}
    if "withheld" in said:
        wanted["withheld"] = case.withheld
    if "code" in said:
        code = case.code or ("event_refused" if case.status == 422 else "malformed")
        rule = said["rule"] if case.verdict == "X" and case.rule is None else case.rule
        wanted |= {"rule": rule, "path": case.path, "code": code}
    return wanted


def leaves(value: Any) -> list[str]:
    """Strings of a patch that are long enough to be recognised."""
    if isinstance(value, dict):
        return [leaf for pair in value.items() for part in pair for leaf in leaves(part)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value] if isinstance(value, str) and len(value) > 7 else []


def is_echoed(case: Case, reply: httpx.Response) -> bool:
    """Whether a reply quotes a value that its request was refused or withheld for."""
    values = [*leaves(list((case.patch or {}).values())), "jane", "hunter2", "acme-corp", "4111"]
    spoken = reply.text + str(reply.headers)
    return any(value in spoken for value in values if value not in ("properties", "timestamp"))


def test_the_service(service: Service) -> None:
    wrong = []
    with httpx.Client(base_url=service.url, timeout=20) as client:
        for case in CASES:
            content, headers = case.request(service.write_key)
            reply = client.post(case.url, content=content, headers=headers)
            said = describe_reply(case, reply)
            if said != expectation(case, said) or is_echoed(case, reply):
                wrong.append((case.case, said, expectation(case, said), is_echoed(case, reply)))
    assert wrong == []


def test_the_dry_run_says_the_same(service: Service) -> None:
    cases = [case for case in CASES if case.patch is not None and not case.gzip]
    events = [patched(case.patch) for case in cases]
    with httpx.Client(base_url=service.url, auth=(service.write_key, ""), timeout=20) as client:
        results = client.post("/v1/validate", json={"batch": events}).json()["results"]
    said = [
        (each["outcome"], each.get("reason"), each.get("path"), each.get("withheld", [])) for each in results
    ]
    assert said == [
        ("rejected" if case.verdict == "R" else "accepted", case.rule, case.path, case.withheld)
        for case in cases
    ]


def test_the_suite_covers_every_kind_and_is_large_enough() -> None:
    assert len(CASES) >= 150
    counted = Counter(case.rule for case in CASES)
    assert not [kind for kind in KINDS if not counted[f"pii_{kind}"]]
    assert {case.verdict for case in CASES} == set("AWRX")
