"""Nonsense in, no 500 out: mutated bodies, and whatever the OpenAPI document lets schemathesis think of."""

from tests.conftest import Service
from tests.faults.fuzz import fuzz
from tests.faults.mutations import CANARY

BODIES = 4_000
GROWTH_MB = 60


def test_mutated_bodies_break_nothing(service: Service) -> None:
    statuses, warm, end = fuzz(service, BODIES, seed=20261123)
    assert sum(statuses.values()) == BODIES
    assert {200, 400, 422} <= set(statuses)
    assert end - warm < GROWTH_MB
    assert CANARY not in service.output()
    assert service.is_healthy()
