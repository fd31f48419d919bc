"""The commands themselves: cache keys, Kubernetes settings, images and resources, importers."""

from __future__ import annotations

from typing import Any

import pytest

from kfgit.backends.local.protocol import Execute, Import
from tests.backends.test_engine_play import (
    INT,
    STR,
    STRUCT,
    art,
    artifact,
    by_name,
    const,
    context,
    dag,
    each,
    gave,
    job,
    out,
    outer,
    package,
    param,
    play,
    ready,
    slot,
    task,
)

CACHE: dict[str, Any] = {"cachingOptions": {"enableCache": True}}


def container(**more: Any) -> dict[str, Any]:
    return {
        "container": {
            "image": "alpine:3",
            "command": ["run"],
            "args": ["{{$.inputs.parameters['x']}}"],
            **more,
        }
    }


def command(
    value: Any = "v",
    executor: Any = None,
    platform: Any = None,
    component: Any = None,
    options: Any = CACHE,
    artifacts: Any = None,
    **facts: Any,
) -> Execute:
    """The command of a single task with one parameter and one artifact."""
    one = component or job({"x": STR}, {"Output": INT}, {"a": slot()}, {"m": slot()})
    root = dag(
        {"t": task("c", {"x": const(value)}, {"a": {"componentInputArtifact": "a"}}, **options)},
        arts={"a": slot()},
    )
    pack = package({"c": one}, root, executors={"exec-c": executor or container()}, platform=platform)
    return ready(pack, artifacts=artifacts or {"a": (artifact("7"),)}, **facts).command("t")


def test_a_command_carries_what_the_worker_needs() -> None:
    found = command()
    assert (found.key, found.path, found.task_name, found.component_name) == ("t", "t", "t", "c")
    assert found.executor["args"] == ["{{$.inputs.parameters['x']}}"]
    assert found.component["inputDefinitions"]["parameters"] == {"x": {"parameterType": STR}}
    assert (found.attempt, found.retries, found.timeout, found.platform) == (0, 0, None, {})


def test_the_fingerprint_is_stable_and_free_of_what_does_not_count() -> None:
    same = [
        command(),
        command(run_id="other", run_name="other", workspace="/ws"),
        command(executor=container(env=[{"name": "A", "value": "b"}])),
        command(executor=container(resources={"cpuLimit": 2.0})),
        command(options={**CACHE, "retryPolicy": {"maxRetryCount": 3}}),
        command(platform={"exec-c": {"secretAsEnv": [{"secretName": "s"}], "activeDeadlineSeconds": "9"}}),
    ]
    assert len({one.fingerprint for one in same}) == 1
    assert same[0].fingerprint is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"value": "w"},
        {"executor": container(image="alpine:4")},
        {"executor": container(command=["runs"])},
        {"executor": container(args=["x"])},
        {"artifacts": {"a": (artifact("8"),)}},
        {"component": job({"x": STR}, {"Output": STR}, {"a": slot()}, {"m": slot()})},
        {"component": job({"x": STR}, {"Output": INT}, {"a": slot()}, {"n": slot()})},
        {"platform": {"exec-c": {"pvcMount": [{"mountPath": "/d", "constant": "pvc"}]}}},
        {"pipeline_name": "other"},
        {"options": {"cachingOptions": {"enableCache": True, "cacheKey": "k"}}},
    ],
)
def test_the_fingerprint_has_all_that_counts(changed: Any) -> None:
    assert command(**changed).fingerprint != command().fingerprint


def test_a_cache_key_replaces_everything_else_and_caching_can_be_off() -> None:
    keyed = {"cachingOptions": {"enableCache": True, "cacheKey": "k"}}
    assert command(options=keyed).fingerprint == command("other", options=keyed).fingerprint
    assert command(options={}).fingerprint is None
    assert command(cache=False).fingerprint is None


def test_a_claim_with_a_made_up_name_is_never_taken_from_the_cache() -> None:
    claim = container(image="argostub/createpvc")
    assert command(executor=claim).fingerprint is None
    root = dag({"t": task("c", {"pvc_name": const("corpus")}, **CACHE)})
    named = ready(package({"c": job({"pvc_name": STR})}, root, executors={"exec-c": claim}))
    assert named.command("t").fingerprint is not None


def test_image_and_resources_are_resolved_and_nothing_else() -> None:
    executor = container(
        image="{{$.inputs.parameters['base_image']}}",
        resources={
            "resourceCpuLimit": "{{$.inputs.parameters['cpu']}}",
            "accelerator": {"resourceType": "gpu", "resourceCount": "{{$.inputs.parameters['n']}}"},
        },
    )
    components = {"make": job(gives={"Output": STR}), "c": job({"n": param(INT, 2)})}
    tasks = {
        "make": task("make"),
        "c": task("c", {"base_image": out("make"), "cpu": outer("cpu")}),
    }
    pack = package(components, dag(tasks, {"cpu": INT}), executors={"exec-c": executor})
    found = play(pack, by_name(make=gave(Output="img:1")), inputs={"cpu": 4}).command("c")
    assert found.executor["image"] == "img:1"
    assert found.executor["resources"] == {
        "resourceCpuLimit": "4",
        "accelerator": {"resourceType": "gpu", "resourceCount": "2"},
    }
    wrong = package({"c": job()}, dag({"c": task("c")}), executors={"exec-c": executor})
    assert play(wrong).record("c").error == "input `base_image` has no value"


def test_kubernetes_settings_are_resolved_and_those_without_a_value_left_out() -> None:
    platform = {
        "exec-c": {
            "activeDeadlineSeconds": "90",
            "secretAsEnv": [
                {
                    "keyToEnv": [{"secretKey": "k", "envVar": "K"}],
                    "secretNameParameter": {"componentInputParameter": "secret"},
                },
                {"secretNameParameter": {"componentInputParameter": "none"}, "optional": True},
            ],
            "configMapAsVolume": [{"configMapNameParameter": const("cm"), "mountPath": "/cm"}],
            "pvcMount": [
                {"mountPath": "/d", "pvcNameParameter": out("make"), **out("make")},
                {"mountPath": "/e", **out("make")},
            ],
            "nodeSelector": {"nodeSelectorJson": {"componentInputParameter": "none"}},
            "tolerations": [{"tolerationJson": const({"key": "k"})}, {"key": "gpu"}],
            "podMetadata": {"labels": {"a": "b"}},
        }
    }
    components = {"make": job(gives={"Output": STR}), "c": job()}
    root = dag(
        {"c": task("c", **CACHE), "make": task("make")},
        {"secret": STR, "none": param(STRUCT, optional=True)},
    )
    worker = play(
        package(components, root, platform=platform), by_name(make=gave(Output="p1")), inputs={"secret": "s"}
    )
    assert worker.executed == ["make", "c"]  # the mount is a dependency
    found = worker.command("c")
    assert found.timeout == 90.0
    assert found.platform == {
        "activeDeadlineSeconds": "90",
        "secretAsEnv": [
            {
                "keyToEnv": [{"secretKey": "k", "envVar": "K"}],
                "secretNameParameter": const("s"),
                "secretName": "s",
            }
        ],
        "configMapAsVolume": [
            {"configMapNameParameter": const("cm"), "configMapName": "cm", "mountPath": "/cm"}
        ],
        "pvcMount": [
            {"mountPath": "/d", "pvcNameParameter": const("p1"), "pvcName": "p1", "constant": "p1"},
            {"mountPath": "/e", "constant": "p1", "pvcName": "p1"},
        ],
        "tolerations": [{"tolerationJson": const({"key": "k"})}, {"key": "gpu"}],
        "podMetadata": {"labels": {"a": "b"}},
    }


def importer(uri: Any, **more: Any) -> Any:
    schema = {"schemaTitle": "system.Model", "schemaVersion": "0.0.2"}
    executor = {"importer": {"artifactUri": uri, "typeSchema": schema, **more}}
    one = {**job({"uri": STR, "who": param(INT, optional=True)}, makes={"artifact": slot()})}
    tasks = {
        "i": task("imp", {"uri": const("gs://b/x"), "who": const(3)}),
        "r": task("read", arts={"a": art("i", "artifact")}),
    }
    return ready(
        package({"imp": one, "read": job(arts={"a": slot()})}, dag(tasks), executors={"exec-imp": executor})
    )


def test_importers() -> None:
    metadata = {"who": "{{$.inputs.parameters['who']}}", "all": ["<{{$.inputs.parameters['who']}}>", 1.0]}
    worker = importer({"runtimeParameter": "uri"}, reimport=True, metadata=metadata)
    (order,) = worker.running.values()
    assert order == Import(
        "i", "i", "gs://b/x", "system.Model", "0.0.2", {"who": 3, "all": ["<3>", 1]}, reimport=True
    )
    assert worker.record("i").state == "RUNNING"
    worker.to_end()
    assert worker.command("r").artifacts["a"][0].uri == "gs://b/x"
    (order,) = importer({"constant": "s3://c"}).running.values()
    assert isinstance(order, Import)
    assert (order.uri, order.reimport) == ("s3://c", False)


def test_an_empty_uri_imports_nothing() -> None:
    assert importer({"constant": ""}).record("i").error == "there is nothing to import: the URI is empty"


def test_paths_and_keys_tell_the_source_and_the_ir() -> None:
    components = {
        "c": job({"x": INT}),
        "comp-loop": dag({"for-2": task("inner", **each("[1]", "i"))}),
        "inner": dag({"t": task("c", {"x": outer("i")})}, {"i": INT}),
    }
    labels = {"root/exit-handler-1": "", "comp-loop/for-2": "sweep", "inner/t": "train", "c": "trainer"}
    worker = play(package(components, dag({"exit-handler-1": task("comp-loop")}), labels))
    found = worker.command("exit-handler-1/for-2/0/t")
    assert found.path == "sweep/0/train"
    record = worker.record("sweep/0/train")
    assert (record.key, record.component) == (found.key, "trainer")
    assert list(worker.states) == ["sweep", "sweep/0/train"]
    assert worker.record("sweep").component is None
    assert context().resource_name == "p-1234"
