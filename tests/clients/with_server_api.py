"""Runs where `kfp-server-api` is installed: every method of the generated client, with its own models."""

from __future__ import annotations

import functools
import inspect
import json
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import kfp_server_api as api

from tests.clients.answering import answer, checks, equal, until

URL = sys.argv[1] if len(sys.argv) > 1 else ""
NOBODY = "00000000-0000-4000-8000-000000000000"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Names of the methods that returned from the server with what they were called for.
CALLED: set[str] = set()


def services() -> dict[str, type]:
    return {name: kind for name, kind in vars(api).items() if name.endswith("ServiceApi")}


def methods(service: type) -> Iterator[str]:
    for name, _ in inspect.getmembers(service, inspect.isfunction):
        if not name.startswith("_") and not name.endswith("_with_http_info"):
            yield name


def _noting(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def noted(*given: Any, **named: Any) -> Any:
        result = method(*given, **named)
        CALLED.add(name)
        return result

    return noted


def _opened(name: str) -> Any:
    """A service of the generated client that notes which of its methods succeeded."""
    service = services()[name]
    opened = service(api.ApiClient(api.Configuration(host=URL)))
    for method in methods(service):
        setattr(opened, method, _noting(method, getattr(opened, method)))
    return opened


experiments = _opened("ExperimentServiceApi")
pipelines = _opened("PipelineServiceApi")
uploads = _opened("PipelineUploadServiceApi")
runs = _opened("RunServiceApi")
jobs = _opened("RecurringRunServiceApi")
health = _opened("HealthzServiceApi")


# --- what the checks use --------------------------------------------------------------------------------------


def spec(script: str = "true") -> dict[str, Any]:
    """A pipeline of one shell script, which may have the number that the run is given."""
    return {
        "pipelineInfo": {"name": "one-script"},
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.17.0",
        "root": {
            "inputDefinitions": {
                "parameters": {
                    "number": {"parameterType": "NUMBER_INTEGER", "isOptional": True, "defaultValue": 1}
                }
            },
            "dag": {
                "tasks": {
                    "script": {
                        "taskInfo": {"name": "script"},
                        "componentRef": {"name": "comp-script"},
                        "cachingOptions": {},
                        "inputs": {"parameters": {"number": {"componentInputParameter": "number"}}},
                    }
                }
            },
        },
        "components": {
            "comp-script": {
                "executorLabel": "exec-script",
                "inputDefinitions": {"parameters": {"number": {"parameterType": "NUMBER_INTEGER"}}},
            }
        },
        "deploymentSpec": {
            "executors": {
                "exec-script": {
                    "container": {
                        "image": "docker.io/library/alpine:3.20",
                        "command": ["sh", "-ec", script],
                        "args": ["{{$.inputs.parameters['number']}}"],
                    }
                }
            }
        },
    }


def package(script: str = "true") -> str:
    path = Path(tempfile.mkdtemp(dir=Path.home())) / "package.yaml"
    path.write_text(json.dumps(spec(script)))
    return str(path)


def some(what: str) -> str:
    """A name that no other check has."""
    return f"{what}-{uuid.uuid4().hex[:8]}"


def experiment() -> str:
    made = experiments.experiment_service_create_experiment(api.V2beta1Experiment(display_name=some("exp")))
    return str(made.experiment_id)


def version_of(pipeline_id: str) -> api.V2beta1PipelineVersion:
    listed = pipelines.pipeline_service_list_pipeline_versions(pipeline_id)
    equal(len(listed.pipeline_versions), 1)
    return listed.pipeline_versions[0]


def run(script: str = "true", **more: Any) -> api.V2beta1Run:
    return runs.run_service_create_run(
        api.V2beta1Run(display_name=some("run"), pipeline_spec=spec(script), **more)
    )


def ended(run_id: str) -> api.V2beta1Run:
    over = {"SUCCEEDED", "FAILED"}
    return until(
        lambda: runs.run_service_get_run(run_id), lambda seen: seen.state in over, "the end of a run"
    )


def recurring(**more: Any) -> api.V2beta1RecurringRun:
    given: dict[str, Any] = {
        "display_name": some("job"),
        "max_concurrency": "1",
        "mode": api.RecurringRunMode.DISABLE,
        "pipeline_spec": spec(),
        "trigger": api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron="0 0 2 * * 1")),
    }
    return jobs.recurring_run_service_create_recurring_run(api.V2beta1RecurringRun(**{**given, **more}))


def refused(call: Callable[[], Any], status: int, code: int | None = None) -> dict[str, Any]:
    """The body of the exception that a call ends with."""
    try:
        answered = call()
    except api.ApiException as error:
        body: dict[str, Any] = json.loads(error.body)
        equal((error.status, error.headers["Content-Type"].partition(";")[0]), (status, "application/json"))
        if code is not None:
            equal(body["code"], code)
            assert body["message"], body
        return body
    raise AssertionError(f"it was not refused: {answered!r}")


def filtered(*predicates: api.V2beta1Predicate) -> str:
    """A filter, made of the client's models and written as it writes bodies."""
    return json.dumps(api.ApiClient().sanitize_for_serialization(api.V2beta1Filter(predicates=[*predicates])))


def named(key: str, value: str) -> api.V2beta1Predicate:
    return api.V2beta1Predicate(operation=api.V2beta1PredicateOperation.EQUALS, key=key, string_value=value)


# --- the checks -----------------------------------------------------------------------------------------------


def check_health() -> None:
    found = health.healthz_service_get_healthz()
    assert isinstance(found, api.V2beta1GetHealthzResponse), found
    equal((found.multi_user or False, found.pipeline_store), (False, "database"))


def check_experiments() -> None:
    name = some("experiment")
    made = experiments.experiment_service_create_experiment(
        api.V2beta1Experiment(display_name=name, description="about")
    )
    assert isinstance(made, api.V2beta1Experiment), made
    equal((made.display_name, made.description, made.storage_state), (name, "about", "AVAILABLE"))
    equal(made.last_run_created_at, EPOCH)
    found = partial(experiments.experiment_service_get_experiment, made.experiment_id)
    equal(found(), made)
    listed = experiments.experiment_service_list_experiments(
        filter=filtered(named("display_name", name)), page_size=5, sort_by="created_at desc", page_token=""
    )
    equal((listed.experiments, listed.total_size, listed.next_page_token), ([made], 1, None))
    equal(experiments.experiment_service_archive_experiment(made.experiment_id), {})
    equal(found().storage_state, "ARCHIVED")
    equal(experiments.experiment_service_unarchive_experiment(made.experiment_id), {})
    equal(found().storage_state, "AVAILABLE")
    again = partial(
        experiments.experiment_service_create_experiment, api.V2beta1Experiment(display_name=name.upper())
    )
    refused(again, 409, 6)
    equal(experiments.experiment_service_delete_experiment(made.experiment_id), {})
    refused(found, 404, 5)
    refused(partial(experiments.experiment_service_delete_experiment, made.experiment_id), 404, 5)
    refused(
        partial(experiments.experiment_service_create_experiment, api.V2beta1Experiment(description="x")),
        400,
        3,
    )


def check_pipelines() -> None:
    name = some("pipeline")
    made = pipelines.pipeline_service_create_pipeline(
        api.V2beta1Pipeline(name=name, display_name="Shown", description="about", tags={"team": "growth"})
    )
    assert isinstance(made, api.V2beta1Pipeline), made
    equal((made.name, made.display_name, made.tags), (name, "Shown", {"team": "growth"}))
    found = partial(pipelines.pipeline_service_get_pipeline, made.pipeline_id)
    equal(found(), made)
    equal(pipelines.pipeline_service_get_pipeline_by_name(name), made)
    refused(partial(pipelines.pipeline_service_get_pipeline_by_name, f"{name}-not"), 404, 5)
    listed = pipelines.pipeline_service_list_pipelines(filter=filtered(named("name", name)))
    equal((listed.pipelines, listed.total_size), ([made], 1))
    refused(partial(pipelines.pipeline_service_create_pipeline, api.V2beta1Pipeline(name=name)), 409, 6)
    changed = pipelines.pipeline_service_update_pipeline(
        made.pipeline_id,
        api.V2beta1Pipeline(pipeline_id=made.pipeline_id, display_name="Other", tags={"team": "sales"}),
    )
    equal((changed.name, changed.display_name, changed.tags), (name, "Other", {"team": "sales"}))
    equal(found(), changed)
    equal(pipelines.pipeline_service_delete_pipeline(made.pipeline_id), {})
    refused(found, 404, 5)


def check_versions() -> None:
    uploaded = uploads.upload_pipeline(
        package(), name=some("uploaded"), description="about", tags='{"a": "b"}'
    )
    assert isinstance(uploaded, api.V2beta1Pipeline), uploaded
    equal(uploaded.tags, {"a": "b"})
    first = version_of(uploaded.pipeline_id)
    equal(first.pipeline_spec["pipelineInfo"], {"name": "one-script"})
    second = uploads.upload_pipeline_version(
        package("echo 2"),
        name="v2",
        display_name="Two",
        pipelineid=uploaded.pipeline_id,
        description="second",
    )
    assert isinstance(second, api.V2beta1PipelineVersion), second
    equal((second.name, second.display_name, second.description), ("v2", "Two", "second"))
    found = partial(
        pipelines.pipeline_service_get_pipeline_version, uploaded.pipeline_id, second.pipeline_version_id
    )
    equal(found(), second)
    changed = pipelines.pipeline_service_update_pipeline_version(
        uploaded.pipeline_id,
        second.pipeline_version_id,
        api.V2beta1PipelineVersion(
            pipeline_id=uploaded.pipeline_id,
            pipeline_version_id=second.pipeline_version_id,
            display_name="Zwei",
            tags={"git": "abc"},
        ),
    )
    equal((changed.name, changed.display_name, changed.tags), ("v2", "Zwei", {"git": "abc"}))
    equal(found(), changed)
    listed = pipelines.pipeline_service_list_pipeline_versions(
        uploaded.pipeline_id, page_size=1, sort_by="name"
    )
    equal((len(listed.pipeline_versions), listed.total_size), (1, 2))
    rest = pipelines.pipeline_service_list_pipeline_versions(
        uploaded.pipeline_id, page_size=1, page_token=listed.next_page_token
    )
    equal(
        {one.pipeline_version_id for one in listed.pipeline_versions + rest.pipeline_versions},
        {first.pipeline_version_id, second.pipeline_version_id},
    )
    equal(
        pipelines.pipeline_service_delete_pipeline_version(uploaded.pipeline_id, second.pipeline_version_id),
        {},
    )
    refused(found, 404, 5)
    refused(partial(pipelines.pipeline_service_delete_pipeline, uploaded.pipeline_id), 400, 3)
    equal(pipelines.pipeline_service_delete_pipeline(uploaded.pipeline_id, cascade=True), {})
    refused(partial(pipelines.pipeline_service_get_pipeline, uploaded.pipeline_id), 404, 5)


def check_versions_from_an_address() -> None:
    """A file of this machine has no address that a server may fetch; what can be told is told."""
    made = pipelines.pipeline_service_create_pipeline(api.V2beta1Pipeline(name=some("by-url")))
    nowhere = api.V2beta1Url(pipeline_url="http://127.0.0.1:9/package.yaml")
    version = api.V2beta1PipelineVersion(name="v1", pipeline_id=made.pipeline_id, package_url=nowhere)
    refused(partial(pipelines.pipeline_service_create_pipeline_version, made.pipeline_id, version), 400, 3)
    both = api.V2beta1CreatePipelineAndVersionRequest(
        pipeline=api.V2beta1Pipeline(name=some("by-url")), pipeline_version=version
    )
    refused(partial(pipelines.pipeline_service_create_pipeline_and_version, both), 400, 3)


def check_runs() -> None:
    where, chosen = experiment(), str(uuid.uuid4())
    uploaded = uploads.upload_pipeline(package("test $0 -eq 7"), name=some("to-run"))
    reference = api.V2beta1PipelineVersionReference(pipeline_id=uploaded.pipeline_id)
    made = runs.run_service_create_run(
        api.V2beta1Run(
            run_id=chosen,
            display_name="chosen",
            description="about",
            experiment_id=where,
            pipeline_version_reference=reference,
            runtime_config=api.V2beta1RuntimeConfig(parameters={"number": 7}),
            service_account="someone",
        )
    )
    assert isinstance(made, api.V2beta1Run), made
    equal((made.run_id, made.description, made.service_account), (chosen, "about", "someone"))
    latest = version_of(uploaded.pipeline_id).pipeline_version_id
    equal(made.pipeline_version_reference.pipeline_version_id, latest)
    equal(made.runtime_config.parameters, {"number": 7})
    equal((made.finished_at, made.storage_state), (EPOCH, "AVAILABLE"))
    over = ended(chosen)
    equal((over.state, over.error), ("SUCCEEDED", None))
    assert all(isinstance(task, api.V2beta1PipelineTaskDetail) for task in over.run_details.task_details)
    assert all(isinstance(moment, api.V2beta1RuntimeStatus) for moment in over.state_history)
    listed = runs.run_service_list_runs(
        experiment_id=where, page_size=10, filter=filtered(named("state", "SUCCEEDED"))
    )
    equal(([one.run_id for one in listed.runs], listed.total_size), ([chosen], 1))
    found = partial(runs.run_service_get_run, chosen)
    equal(runs.run_service_archive_run(chosen), {})
    equal(found().storage_state, "ARCHIVED")
    equal(runs.run_service_unarchive_run(chosen), {})
    equal(found().storage_state, "AVAILABLE")
    refused(partial(runs.run_service_terminate_run, chosen), 400, 3)
    same = api.V2beta1Run(run_id=chosen, display_name="again", pipeline_version_reference=reference)
    refused(partial(runs.run_service_create_run, same), 409, 6)
    equal(runs.run_service_delete_run(chosen), {})
    refused(found, 404, 5)


def check_a_failed_run_goes_on_where_it_failed() -> None:
    marker = Path.home() / some("marker")
    failed = ended(run(f"test -e {marker} || exit 4").run_id)
    equal(failed.state, "FAILED")
    assert any(task.error and "exit code 4" in task.error.message for task in failed.run_details.task_details)
    marker.touch()
    equal(runs.run_service_retry_run(failed.run_id), {})
    over = until(
        lambda: runs.run_service_get_run(failed.run_id),
        lambda seen: seen.state not in {"FAILED", "PENDING", "RUNNING"},
        "the retry",
    )
    equal(over.state, "SUCCEEDED")
    states = [moment.state for moment in over.state_history]
    equal((states[:3], states[-1]), (["PENDING", "RUNNING", "FAILED"], "SUCCEEDED"))
    refused(partial(runs.run_service_retry_run, failed.run_id), 409, 10)


def check_a_run_is_terminated() -> None:
    made = run("sleep 600")
    until(lambda: runs.run_service_get_run(made.run_id), lambda seen: seen.state == "RUNNING", "its begin")
    equal(runs.run_service_terminate_run(made.run_id), {})
    equal(ended(made.run_id).state, "FAILED")


def check_recurring_runs() -> None:
    where, start = experiment(), datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    trigger = api.V2beta1Trigger(
        periodic_schedule=api.V2beta1PeriodicSchedule(
            interval_second="60", start_time=start, end_time=start + timedelta(days=1)
        )
    )
    made = recurring(experiment_id=where, description="about", trigger=trigger, no_catchup=True)
    assert isinstance(made, api.V2beta1RecurringRun), made
    equal((made.mode, made.status, made.max_concurrency), ("DISABLE", "DISABLED", "1"))
    periodic = made.trigger.periodic_schedule
    equal(
        (periodic.interval_second, periodic.start_time, periodic.end_time),
        ("60", start, start + timedelta(days=1)),
    )
    found = partial(jobs.recurring_run_service_get_recurring_run, made.recurring_run_id)
    equal(found(), made)
    listed = jobs.recurring_run_service_list_recurring_runs(experiment_id=where, page_size=3)
    equal((listed.recurring_runs, listed.total_size), ([made], 1))
    equal(jobs.recurring_run_service_enable_recurring_run(made.recurring_run_id), {})
    equal((found().mode, found().status), ("ENABLE", "ENABLED"))
    equal(jobs.recurring_run_service_disable_recurring_run(made.recurring_run_id), {})
    equal(found().status, "DISABLED")
    equal(
        jobs.recurring_run_service_delete_recurring_run(
            made.recurring_run_id, propagation_policy=api.V2beta1DeletePropagationPolicy.ORPHAN
        ),
        {},
    )
    refused(found, 404, 5)
    refused(partial(jobs.recurring_run_service_enable_recurring_run, made.recurring_run_id), 404, 5)
    refused(partial(recurring, max_concurrency="11"), 400, 3)
    refused(partial(recurring, pipeline_spec=None), 400, 3)


def check_what_is_unknown() -> None:
    refused(partial(runs.run_service_get_run, NOBODY), 404, 5)
    refused(partial(runs.run_service_archive_run, NOBODY), 404, 5)
    refused(partial(runs.run_service_retry_run, NOBODY), 404, 5)
    refused(partial(runs.run_service_delete_run, NOBODY), 404, 5)
    refused(partial(pipelines.pipeline_service_get_pipeline, NOBODY), 404, 5)
    refused(partial(pipelines.pipeline_service_delete_pipeline, NOBODY), 404, 5)
    refused(partial(pipelines.pipeline_service_get_pipeline_version, NOBODY, NOBODY), 404, 5)
    refused(partial(jobs.recurring_run_service_delete_recurring_run, NOBODY), 404, 5)
    refused(partial(experiments.experiment_service_get_experiment, "no/such thing"), 404, 5)
    refused(partial(uploads.upload_pipeline_version, package(), name="v", pipelineid=NOBODY), 400)
    refused(partial(runs.run_service_list_runs, filter="{"), 400, 3)


def check_calls_in_the_background() -> None:
    """`async_req` keeps several connections open at once."""
    opened = api.ExperimentServiceApi(api.ApiClient(api.Configuration(host=URL), pool_threads=8))
    threads = [
        opened.experiment_service_create_experiment(
            api.V2beta1Experiment(display_name=some("background")), async_req=True
        )
        for _ in range(24)
    ]
    equal(len({thread.get(timeout=120).experiment_id for thread in threads}), 24)
    opened.api_client.close()


# --- nothing is forgotten -------------------------------------------------------------------------------------


def offered() -> list[str]:
    """All methods that the generated client has."""
    return sorted(method for service in services().values() for method in methods(service))


def called() -> list[str]:
    return sorted(CALLED)


def not_offered(method: str) -> list[Any]:
    """How the server answers a method that it does not offer: status, and code of the body."""
    service = next(service for service in services().values() if method in methods(service))
    opened = service(api.ApiClient(api.Configuration(host=URL)))
    required = [
        name
        for name, parameter in inspect.signature(getattr(opened, method)).parameters.items()
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    try:
        getattr(opened, method)(*(f"some-{name}" for name in required))
    except api.ApiException as error:
        return [error.status, json.loads(error.body)["code"]]
    raise AssertionError(f"{method} is offered")


if __name__ == "__main__":
    answer({**checks(globals()), "offered": offered, "called": called, "not_offered": not_offered})
