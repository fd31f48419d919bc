"""Runs where `kfp` is installed: what people do with `kfp.Client`, against the server whose address is given."""

from __future__ import annotations

import base64
import importlib.util
import json
import sys
import tarfile
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import kfp
import kfp_server_api
from click.testing import CliRunner
from kfp import compiler
from kfp.cli import cli

from tests.clients.answering import PATIENCE, answer, checks, equal, until

URL = sys.argv[1] if len(sys.argv) > 1 else ""
NOBODY = "00000000-0000-4000-8000-000000000000"
PROGRAMS = Path(__file__).with_name("programs")

client = kfp.Client(host=URL)


def program(name: str) -> Any:
    """The pipeline in a program. They are files of their own, since the DSL reads annotations that are no strings."""
    found = importlib.util.spec_from_file_location(f"program_{name}", PROGRAMS / f"{name}.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module.pipeline


doubling, shell_script = program("doubling"), program("shell_script")


def compiled(pipeline: Any) -> str:
    path = Path(tempfile.mkdtemp(dir=Path.home())) / f"{pipeline.name}.yaml"
    compiler.Compiler().compile(pipeline, str(path))
    return str(path)


def some(what: str) -> str:
    """A name that no other check has."""
    return f"{what}-{uuid.uuid4().hex[:8]}"


def experiment() -> str:
    return str(client.create_experiment(some("experiment")).experiment_id)


def ran(script: str, experiment_id: str, **more: Any) -> Any:
    """A run of one shell script, not waited for."""
    return client.create_run_from_pipeline_func(
        shell_script, arguments={"script": script}, experiment_id=experiment_id, **more
    )


def ended(run_id: str) -> Any:
    return client.wait_for_run_completion(run_id, timeout=PATIENCE, sleep_duration=0.1)


def filtered(key: str, operation: str, **value: Any) -> str:
    return json.dumps({"predicates": [{"operation": operation, "key": key, **value}]})


def refused(call: Callable[[], Any]) -> tuple[int, dict[str, Any]]:
    """The status and the body of the client's exception."""
    try:
        call()
    except kfp_server_api.ApiException as error:
        return error.status, json.loads(error.body)
    raise AssertionError("it was not refused")


def pages(listing: Callable[..., Any], key: str, **query: Any) -> Iterator[list[Any]]:
    token = ""
    while True:
        page = listing(page_token=token, **query)
        yield getattr(page, key) or []
        token = page.next_page_token or ""
        if not token:
            return


# --- experiments ----------------------------------------------------------------------------------------------


def check_the_server_says_who_it_is() -> None:
    health = client.get_kfp_healthz()
    equal((health.multi_user or False, health.pipeline_store), (False, "database"))
    equal(client.get_user_namespace(), "")


def check_an_experiment_is_made_once_and_found() -> None:
    name = some("churn")
    made = client.create_experiment(name, description="monthly")
    equal((made.display_name, made.description, made.storage_state), (name, "monthly", "AVAILABLE"))
    assert abs(made.created_at - datetime.now(UTC)) < timedelta(minutes=1), made.created_at
    equal(client.create_experiment(name).experiment_id, made.experiment_id)
    equal(client.get_experiment(experiment_id=made.experiment_id), made)
    equal(client.get_experiment(experiment_name=name).experiment_id, made.experiment_id)
    not_there = filtered("display_name", "EQUALS", stringValue=f"{name}-not")
    equal(client.list_experiments(filter=not_there).experiments, None)


def check_an_experiment_is_archived_with_what_it_has_and_deleted() -> None:
    made = experiment()
    run = ran("true", made).run_id
    ended(run)
    schedule = client.create_recurring_run(
        made, some("job"), interval_second=3600, pipeline_package_path=compiled(shell_script)
    ).recurring_run_id
    client.archive_experiment(made)
    equal(client.get_experiment(made).storage_state, "ARCHIVED")
    equal(client.get_run(run).storage_state, "ARCHIVED")
    equal(client.get_recurring_run(schedule).status, "DISABLED")
    client.unarchive_experiment(made)
    equal(client.get_experiment(made).storage_state, "AVAILABLE")
    client.delete_experiment(made)
    equal(refused(lambda: client.get_experiment(made))[0], 404)


def check_experiments_are_listed_by_pages_sorted_and_filtered() -> None:
    stem = some("listed")
    names = [f"{stem}-{number}" for number in range(5)]
    for name in names:
        client.create_experiment(name)
    mine = filtered("display_name", "IS_SUBSTRING", stringValue=stem)
    found = [
        [one.display_name for one in page]
        for page in pages(
            client.list_experiments, "experiments", page_size=2, sort_by="name desc", filter=mine
        )
    ]
    equal(found, [[names[4], names[3]], [names[2], names[1]], [names[0]]])
    equal(client.list_experiments(filter=mine).total_size, 5)
    everything = [one for page in pages(client.list_experiments, "experiments", page_size=3) for one in page]
    equal(len({one.experiment_id for one in everything}), len(everything))
    assert set(names) <= {one.display_name for one in everything}


# --- runs -----------------------------------------------------------------------------------------------------


def check_a_package_is_run_to_its_end() -> None:
    made, name = experiment(), some("run")
    result = client.create_run_from_pipeline_package(
        compiled(doubling), arguments={"number": 5}, run_name=name, experiment_id=made
    )
    ended(result.run_id)
    run = result.wait_for_run_completion(timeout=PATIENCE)
    equal(
        (run.run_id, run.display_name, run.experiment_id, run.state), (result.run_id, name, made, "SUCCEEDED")
    )
    equal(run.runtime_config.parameters, {"number": 5})
    equal(run.pipeline_spec["pipelineInfo"]["name"], "doubling")
    equal([moment.state for moment in run.state_history], ["PENDING", "RUNNING", "SUCCEEDED"])
    assert run.created_at <= run.finished_at, run
    equal(run.error, None)
    details = {task.display_name: task for task in run.run_details.task_details}
    equal({details["twice"].state, details["twice-2"].state}, {"SUCCEEDED"})
    assert details["twice"].end_time <= details["twice-2"].end_time
    equal({task.run_id for task in run.run_details.task_details}, {run.run_id})
    shown = client.get_experiment(made)
    assert shown.last_run_created_at >= shown.created_at, shown


def check_a_function_is_run_in_the_default_experiment() -> None:
    run = client.create_run_from_pipeline_func(doubling, arguments={})
    equal(ended(run.run_id).state, "SUCCEEDED")
    assert run.run_info.display_name.startswith("doubling "), run.run_info
    equal(run.run_info.experiment_id, client.get_experiment(experiment_name="Default").experiment_id)


def check_a_failed_run_says_why() -> None:
    run = ended(ran("echo broken >&2; exit 3", experiment()).run_id)
    equal(run.state, "FAILED")
    equal(run.state_history[-1].state, "FAILED")
    details = {task.display_name: task for task in run.run_details.task_details}
    equal({details["shell"].state, details["shell-script"].state}, {"FAILED"})
    assert "exit code 3" in details["shell"].error.message, details["shell"]
    assert "`shell` failed" in details["shell-script"].error.message, details["shell-script"]
    equal(details["shell"].parent_task_id, details["shell-script"].task_id)


def check_arguments_are_held_to_the_pipeline() -> None:
    made = experiment()

    def run(**arguments: Any) -> Callable[[], Any]:
        return lambda: client.create_run_from_pipeline_func(doubling, arguments=arguments, experiment_id=made)

    for call, word in ((run(numbr=1), "numbr"), (run(number="four"), "number"), (run(number=True), "number")):
        status, body = refused(call)
        equal((status, body["code"]), (400, 3))
        assert word in body["message"], body
    equal(client.list_runs(experiment_id=made).runs, None)


def check_packages_are_sent_as_archives() -> None:
    package = Path(compiled(doubling))
    with zipfile.ZipFile(zipped := package.with_suffix(".zip"), "w") as archive:
        archive.write(package, "pipeline.yaml")
    with tarfile.open(tarred := package.with_suffix(".tar.gz"), "w:gz") as archive:
        archive.add(package, "pipeline.yaml")
    for path in (zipped, tarred):
        pipeline = client.upload_pipeline(str(path), pipeline_name=some("archive"))
        version = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions[0]
        equal(version.pipeline_spec["pipelineInfo"]["name"], "doubling")


def check_many_runs_go_on_at_once() -> None:
    made = experiment()

    def run(number: int) -> tuple[str, str]:
        started = ran(f"sleep 0.1; echo {number}", made, run_name=f"run {number}")
        return started.run_id, ended(started.run_id).state

    with ThreadPoolExecutor(12) as threads:
        found = dict(threads.map(run, range(24)))
    equal((len(found), set(found.values())), (24, {"SUCCEEDED"}))


def check_a_namespace_is_none_here() -> None:
    """Programs that name `kubeflow`, as they do on a cluster of one user, work as they are."""
    name = some("named")
    made = client.create_experiment(name, namespace="kubeflow")
    equal(client.get_experiment(experiment_name=name, namespace="kubeflow"), made)
    run = client.create_run_from_pipeline_func(
        doubling, arguments={}, experiment_name=name, namespace="kubeflow"
    )
    equal(ended(run.run_id).experiment_id, made.experiment_id)
    assert run.run_id in {one.run_id for one in client.list_runs(namespace="kubeflow", page_size=100).runs}


def check_caching_can_be_decided_at_submission() -> None:
    made, count = experiment(), Path.home() / some("count")
    script = f"echo done >> {count}"

    def times(**options: Any) -> int:
        equal(ended(ran(script, made, **options).run_id).state, "SUCCEEDED")
        return len(count.read_text().splitlines())

    equal(times(enable_caching=True), 1)
    equal(times(enable_caching=True), 1)
    equal(times(), 1)
    equal(times(enable_caching=False), 2)
    equal(times(enable_caching=True, cache_key="other"), 3)
    equal(times(enable_caching=True, cache_key="other"), 3)


def check_runs_are_listed_by_pages_sorted_and_filtered() -> None:
    made = experiment()
    names = [f"r{number}" for number in range(5)]
    by_name = {name: ran("exit 1" if name == "r3" else "true", made, run_name=name).run_id for name in names}
    for run in by_name.values():
        ended(run)
    found = [
        [run.display_name for run in page]
        for page in pages(
            client.list_runs, "runs", page_size=2, sort_by="display_name desc", experiment_id=made
        )
    ]
    equal(found, [["r4", "r3"], ["r2", "r1"], ["r0"]])
    failed = client.list_runs(experiment_id=made, filter=filtered("state", "EQUALS", stringValue="FAILED"))
    equal([run.run_id for run in failed.runs], [by_name["r3"]])
    some_of = filtered("display_name", "IN", stringValues={"values": ["r1", "r2", "nobody"]})
    equal(
        sorted(run.display_name for run in client.list_runs(experiment_id=made, filter=some_of).runs),
        ["r1", "r2"],
    )
    equal(client.list_runs(experiment_id=made, page_size=100, sort_by="created_at").total_size, 5)
    newest = client.list_runs(experiment_id=made, page_size=1, sort_by="created_at desc").runs
    assert newest[0].created_at == max(client.get_run(run).created_at for run in by_name.values())
    elsewhere = [run.run_id for page in pages(client.list_runs, "runs", page_size=4) for run in page]
    assert set(by_name.values()) <= set(elsewhere)
    equal(len(elsewhere), len(set(elsewhere)))
    equal(refused(lambda: client.list_runs(sort_by="colour"))[0], 400)
    equal(refused(lambda: client.list_runs(page_token="nonsense"))[0], 400)


def check_what_tasks_left_is_read() -> None:
    """The generated client has no method for these: KFP's own UI asks for them."""
    made = client.create_run_from_pipeline_func(
        program("artifacts"), arguments={"rows": 2}, experiment_id=experiment()
    )
    details = {task.display_name: task.task_id for task in ended(made.run_id).run_details.task_details}
    node = f"/runs/{made.run_id}/nodes/{details['load']}"
    with urlopen(f"{URL}/apis/v2beta1{node}/artifacts/data:read") as answered:
        equal(base64.b64decode(json.load(answered)["data"]), b"0,0\n1,1\n")
    with urlopen(f"{URL}/apis/v1alpha1{node}/log") as answered:
        assert b"load" in answered.read()
    for place in (f"/apis/v2beta1{node}/artifacts/nothing:read", f"/apis/v1alpha1/runs/{NOBODY}/nodes/n/log"):
        try:
            urlopen(f"{URL}{place}")
        except HTTPError as error:
            equal((error.code, json.load(error)["code"]), (404, 5))
        else:
            raise AssertionError(place)


def check_a_running_run_is_terminated() -> None:
    run = ran("sleep 600", experiment()).run_id
    until(lambda: client.get_run(run), lambda seen: seen.state == "RUNNING" and seen.run_details, "the task")
    client.terminate_run(run)
    # KFP ends such a run as FAILED, and the client waits for no other end.
    over = ended(run)
    equal(over.state, "FAILED")
    assert over.finished_at >= over.created_at, over
    equal(
        {task.state for task in over.run_details.task_details if task.display_name == "shell"}, {"CANCELED"}
    )
    status, body = refused(lambda: client.terminate_run(run))
    equal((status, body["code"]), (400, 3))


def check_a_run_is_archived_and_deleted() -> None:
    made = experiment()
    run = ran("true", made).run_id
    ended(run)
    client.archive_run(run)
    equal(client.get_run(run).storage_state, "ARCHIVED")
    available = filtered("storage_state", "EQUALS", stringValue="AVAILABLE")
    equal(client.list_runs(experiment_id=made, filter=available).runs, None)
    client.unarchive_run(run)
    equal([one.run_id for one in client.list_runs(experiment_id=made, filter=available).runs], [run])
    client.delete_run(run)
    equal(refused(lambda: client.get_run(run))[0], 404)


# --- pipelines ------------------------------------------------------------------------------------------------


def check_a_pipeline_is_uploaded_with_versions_and_run() -> None:
    name, made = some("doubling"), experiment()
    pipeline = client.upload_pipeline(compiled(doubling), pipeline_name=name, description="times four")
    equal((pipeline.display_name, pipeline.description), (name, "times four"))
    equal(client.get_pipeline_id(name), pipeline.pipeline_id)
    equal(client.get_pipeline_id(f"{name}-not"), None)
    equal(client.get_pipeline(pipeline.pipeline_id), pipeline)
    first = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    equal([version.display_name for version in first], [name])
    second = client.upload_pipeline_version(
        compiled(shell_script), "v2", pipeline_name=name, description="something else"
    )
    third = client.upload_pipeline_version_from_pipeline_func(
        doubling, "v3", pipeline_id=pipeline.pipeline_id
    )
    equal(client.get_pipeline_version(pipeline.pipeline_id, second.pipeline_version_id), second)
    equal(second.pipeline_spec["pipelineInfo"]["name"], "shell-script")
    listed = client.list_pipeline_versions(pipeline.pipeline_id, sort_by="display_name", page_size=2)
    equal((len(listed.pipeline_versions), listed.total_size), (2, 3))
    run = client.run_pipeline(
        made,
        "by version",
        pipeline_id=pipeline.pipeline_id,
        version_id=third.pipeline_version_id,
        params={"number": 1},
    )
    equal(run.pipeline_version_reference.pipeline_version_id, third.pipeline_version_id)
    equal(ended(run.run_id).state, "SUCCEEDED")
    client.delete_pipeline_version(pipeline.pipeline_id, second.pipeline_version_id)
    left = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions
    equal({version.display_name for version in left}, {name, "v3"})
    status, body = refused(lambda: client.delete_pipeline(pipeline.pipeline_id))
    equal((status, body["code"]), (400, 3))
    for version in left:
        client.delete_pipeline_version(pipeline.pipeline_id, version.pipeline_version_id)
    client.delete_pipeline(pipeline.pipeline_id)
    equal(refused(lambda: client.get_pipeline(pipeline.pipeline_id))[0], 404)


def check_pipelines_are_listed_by_pages() -> None:
    stem = some("many")
    for number in range(3):
        client.upload_pipeline_from_pipeline_func(doubling, pipeline_name=f"{stem}-{number}")
    mine = filtered("name", "IS_SUBSTRING", stringValue=stem)
    found = [
        [pipeline.display_name for pipeline in page]
        for page in pages(client.list_pipelines, "pipelines", page_size=2, sort_by="name", filter=mine)
    ]
    equal(found, [[f"{stem}-0", f"{stem}-1"], [f"{stem}-2"]])


def check_a_name_is_taken_once() -> None:
    name = some("taken")
    pipeline = client.upload_pipeline(compiled(doubling), pipeline_name=name)
    equal(refused(lambda: client.upload_pipeline(compiled(doubling), pipeline_name=name))[0], 409)
    again = refused(
        lambda: client.upload_pipeline_version(compiled(doubling), name, pipeline_id=pipeline.pipeline_id)
    )
    equal(again[0], 409)
    experiment_id = client.create_experiment(name).experiment_id
    status, body = refused(
        lambda: client.experiments.experiment_service_create_experiment({"display_name": name})
    )
    equal((status, body["code"]), (409, 6))
    equal(client.create_experiment(name).experiment_id, experiment_id)


def check_what_is_unknown_is_not_found() -> None:
    calls: list[Callable[[], Any]] = [
        lambda: client.get_run(NOBODY),
        lambda: client.delete_run(NOBODY),
        lambda: client.get_experiment(NOBODY),
        lambda: client.delete_experiment(NOBODY),
        lambda: client.get_pipeline(NOBODY),
        lambda: client.delete_pipeline(NOBODY),
        lambda: client.get_pipeline_version(NOBODY, NOBODY),
        lambda: client.get_recurring_run(NOBODY),
        lambda: client.enable_recurring_run(NOBODY),
        lambda: client.delete_recurring_run(NOBODY),
        lambda: ran("true", NOBODY),
    ]
    for number, call in enumerate(calls):
        status, body = refused(call)
        equal((number, status, body["code"]), (number, 404, 5))


# --- recurring runs -------------------------------------------------------------------------------------------


def check_recurring_runs_are_kept_as_they_were_made() -> None:
    made = experiment()
    pipeline = client.upload_pipeline(compiled(doubling), pipeline_name=some("scheduled"))
    version = client.list_pipeline_versions(pipeline.pipeline_id).pipeline_versions[0].pipeline_version_id
    pinned = {"pipeline_id": pipeline.pipeline_id, "version_id": version}
    weekly = client.create_recurring_run(
        made, "weekly", description="every monday", cron_expression="0 0 2 * * 1", no_catchup=True, max_concurrency=3,
        params={"number": 2}, start_time="2030-01-01T00:00:00Z", end_time="2031-01-01T00:00:00Z", **pinned,
    )  # fmt: skip
    equal(
        (weekly.status, weekly.mode, weekly.no_catchup, weekly.max_concurrency),
        ("ENABLED", "ENABLE", True, "3"),
    )
    cron = weekly.trigger.cron_schedule
    equal(cron.cron, "0 0 2 * * 1")
    equal((cron.start_time.year, cron.end_time.year), (2030, 2031))
    equal(weekly.runtime_config.parameters, {"number": 2})
    equal(weekly.pipeline_version_reference.pipeline_version_id, version)
    hourly = client.create_recurring_run(
        made, "hourly", interval_second=3600, enabled=False, pipeline_package_path=compiled(doubling)
    )
    equal((hourly.status, hourly.trigger.periodic_schedule.interval_second), ("DISABLED", "3600"))
    equal(client.get_recurring_run(weekly.recurring_run_id), weekly)
    listed = client.list_recurring_runs(experiment_id=made, sort_by="name")
    equal([one.display_name for one in listed.recurring_runs], ["hourly", "weekly"])
    only = client.list_recurring_runs(
        experiment_id=made, filter=filtered("name", "EQUALS", stringValue="hourly")
    )
    equal([one.recurring_run_id for one in only.recurring_runs], [hourly.recurring_run_id])
    client.disable_recurring_run(weekly.recurring_run_id)
    equal(client.get_recurring_run(weekly.recurring_run_id).status, "DISABLED")
    client.enable_recurring_run(weekly.recurring_run_id)
    equal(client.get_recurring_run(weekly.recurring_run_id).status, "ENABLED")
    for one in (weekly, hourly):
        client.delete_recurring_run(one.recurring_run_id)
        equal(refused(partial(client.get_recurring_run, one.recurring_run_id))[0], 404)
    equal(client.list_recurring_runs(experiment_id=made).recurring_runs, None)


def check_a_recurring_run_fires_until_it_is_disabled() -> None:
    made = experiment()
    job = client.create_recurring_run(
        made, "ticking", interval_second=1, max_concurrency=2, no_catchup=True, params={"script": "true"},
        pipeline_package_path=compiled(shell_script), enable_caching=False,
    )  # fmt: skip

    def fired() -> list[Any]:
        return client.list_runs(experiment_id=made, page_size=100, sort_by="created_at").runs or []

    runs = until(fired, lambda seen: len(seen) >= 2, "two ticks")
    equal({run.recurring_run_id for run in runs}, {job.recurring_run_id})
    scheduled = [run.scheduled_at for run in runs]
    equal(len(set(scheduled)), len(scheduled))
    assert all(run.display_name.startswith("ticking") for run in runs), runs
    client.disable_recurring_run(job.recurring_run_id)
    for run in fired():
        equal(ended(run.run_id).state, "SUCCEEDED")
    fires = len(fired())
    until(lambda: datetime.now(UTC), lambda now: now > scheduled[-1] + timedelta(seconds=3), "time to pass")
    equal(len(fired()), fires)
    client.delete_recurring_run(job.recurring_run_id)
    equal(len(fired()), fires)


def check_a_cron_fires_too() -> None:
    made = experiment()
    job = client.create_recurring_run(
        made, "by cron", cron_expression="* * * * * *", params={"script": "true"},
        pipeline_package_path=compiled(shell_script),
    )  # fmt: skip
    runs = until(lambda: client.list_runs(experiment_id=made).runs, bool, "a tick")
    equal(runs[0].recurring_run_id, job.recurring_run_id)
    client.delete_recurring_run(job.recurring_run_id)


def check_a_bad_cron_is_refused() -> None:
    made, package = experiment(), compiled(shell_script)
    for cron in ("61 * * * * *", "0 0 0 * * 7", "hourly"):
        create = partial(client.create_recurring_run, made, "bad", pipeline_package_path=package)
        status, body = refused(partial(create, cron_expression=cron))
        equal((status, body["code"]), (400, 3))


# --- its command line -----------------------------------------------------------------------------------------


def typed(*arguments: str) -> Any:
    """What `kfp … --output json` prints last, as an object."""
    told = CliRunner().invoke(
        cli.cli, ["--endpoint", URL, "--output", "json", *arguments], input="y\n", obj={}
    )
    equal((told.exit_code, told.exception), (0, None))
    start = min(place for mark in "[{" if (place := told.output.find(mark)) >= 0)
    return json.JSONDecoder().raw_decode(told.output[start:])[0]


def check_the_command_line_works() -> None:
    name = some("typed")
    made = typed("experiment", "create", name)
    equal(made["display_name"], name)
    begun = typed("run", "create", "-e", name, "-r", "first", "-f", compiled(doubling), "--watch", "number=3")
    run = typed("run", "get", begun["run_id"])
    equal((run["display_name"], run["state"]), ("first", "SUCCEEDED"))
    equal(run["runtime_config"]["parameters"], {"number": 3})
    equal([one["run_id"] for one in typed("run", "list", "-e", made["experiment_id"])], [run["run_id"]])
    equal(typed("run", "archive", run["run_id"])["storage_state"], "ARCHIVED")
    pipeline = typed("pipeline", "create", "-p", name, compiled(doubling))
    typed("pipeline", "create-version", "-v", "v2", "-n", name, compiled(shell_script))
    equal(len(typed("pipeline", "list-versions", pipeline["pipeline_id"])), 2)
    assert pipeline["pipeline_id"] in {one["pipeline_id"] for one in typed("pipeline", "list")}
    job = typed(
        "recurring-run", "create", "--cron-expression", "0 0 2 * * 1", "--no-catchup", "--job-name", "weekly",
        "--experiment-id", made["experiment_id"], "--pipeline-package-path", compiled(doubling), "--enabled",
        "--max-concurrency", "1",
    )  # fmt: skip
    equal((job["status"], job["trigger"]["cron_schedule"]["cron"]), ("ENABLED", "0 0 2 * * 1"))
    equal(typed("recurring-run", "disable", job["recurring_run_id"])["status"], "DISABLED")
    listed = typed("recurring-run", "list", "-e", made["experiment_id"])
    equal([one["recurring_run_id"] for one in listed], [job["recurring_run_id"]])


# --- programs -------------------------------------------------------------------------------------------------


def submitted(name: str, arguments: dict[str, Any]) -> str:
    """Compiles a program and starts its pipeline; the id of the run."""
    run = client.create_run_from_pipeline_func(program(name), arguments=arguments, experiment_name="programs")
    return str(run.run_id)


def scheduled(name: str) -> tuple[str, str]:
    """The first run that a schedule of a program makes, and the time that it was made for."""
    made = experiment()
    job = client.create_recurring_run(
        made, "often", interval_second=1, pipeline_package_path=compiled(program(name)), enable_caching=False
    )
    runs = until(
        lambda: client.list_runs(experiment_id=made, sort_by="created_at").runs, bool, "the first tick"
    )
    client.disable_recurring_run(job.recurring_run_id)
    return runs[0].run_id, runs[0].scheduled_at.isoformat()


def outcome(run_id: str) -> dict[str, Any]:
    """How a run ended, as the client sees it."""
    run = ended(run_id)
    tasks = [(task.display_name, task.state) for task in run.run_details.task_details]
    return {"name": run.display_name, "state": run.state, "tasks": tasks}


def greeted(url: str, token: str | None) -> int:
    """The status with which a server answers a client that has a token, or none."""
    try:
        kfp.Client(host=url, existing_token=token).list_experiments()
    except kfp_server_api.ApiException as error:
        return int(error.status)
    return 200


if __name__ == "__main__":
    answer(
        {
            **checks(globals()),
            "submitted": submitted,
            "outcome": outcome,
            "scheduled": scheduled,
            "greeted": greeted,
        }
    )
