"""`kfp-server-api`, generated from KFP's own description of its API: every method, or the reason why not."""

from __future__ import annotations

import pytest

from tests.clients import official
from tests.clients.official import Client

NOT_OFFERED = {
    "auth_service_authorize": "asks who may do what: there is one user",
    "dummy_filter_service_get_filter": "exists to describe filters, no server answers it",
    "report_service_report_scheduled_workflow": "is how a cluster's agent tells the server of schedules",
    "report_service_report_workflow": "is how a cluster's agent tells the server of runs",
    "visualization_service_create_visualization_v1": "draws on a service of the cluster",
}
# Offered, and here they can only be refused: a package is fetched from an address.
REFUSED = {"pipeline_service_create_pipeline_and_version", "pipeline_service_create_pipeline_version"}


@pytest.mark.parametrize("check", official.checks("with_server_api"))
def test_it_works_here_too(check: str, server_api_client: Client) -> None:
    server_api_client.ask(check)


def test_nothing_is_forgotten(server_api_client: Client) -> None:
    for check in official.checks("with_server_api"):
        server_api_client.ask(check)
    called = set(server_api_client.ask("called"))
    assert called | NOT_OFFERED.keys() | REFUSED == set(server_api_client.ask("offered"))
    assert called.isdisjoint(NOT_OFFERED)


@pytest.mark.parametrize("method", NOT_OFFERED)
def test_what_is_not_offered_says_so(method: str, server_api_client: Client) -> None:
    assert server_api_client.ask("not_offered", method=method) in ([404, 5], [501, 12])
