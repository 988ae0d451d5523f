"""Every documented endpoint under whatever schemathesis makes of its schema,
authenticated and not: no 500."""

from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.core.result import Err

from tests.conftest import Service
from tests.samples import basic

EXAMPLES = 20
QUIETLY = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def test_no_documented_endpoint_fails(service: Service) -> None:
    document = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    credentials = [{}, basic(service.write_key), {"Authorization": f"Bearer {service.report_token}"}]
    visited = set()
    for result in document.get_all_operations():
        assert not isinstance(result, Err), "the document is not valid OpenAPI"
        operation = result.ok()
        visited.add(operation.path)
        if operation.path.endswith((".csv", ".parquet")):
            continue  # the same parameters as the JSON of the report

        is_report = operation.path.startswith("/v1/reports/")  # a dozen that share one parser

        @settings(QUIETLY, max_examples=EXAMPLES // 4 if is_report else EXAMPLES)
        @given(operation.as_strategy())
        def call(case: Any) -> None:
            for headers in credentials:
                response = case.call(headers=headers, timeout=30)
                assert response.status_code < 500, response.text

        call()
    assert {
        "/v1/track",
        "/v1/batch",
        "/v1/import",
        "/v1/validate",
        "/v1/reports/connectors",
        "/v1/reports/registry-metrics.parquet",
        "/readyz",
    } <= visited
