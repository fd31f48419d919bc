"""IR that cannot run is refused at once, in one sentence."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from kfgit.backends.local import engine
from kfgit.ir import Package
from tests.backends.test_engine_play import (
    STR,
    art,
    const,
    dag,
    each,
    job,
    out,
    outer,
    package,
    slot,
    task,
)

JOB = {"c": job({"x": STR}, {"Output": STR}, makes={"m": slot()})}


def one(**spec: Any) -> Package:
    return package(JOB, dag({"a": {**task("c"), **spec}}))


def executor(spec: Any) -> Package:
    return package({"c": job()}, dag({"a": task("c")}), executors={"exec-c": spec})


def on_kubernetes(settings: Any) -> Package:
    found = package({"c": job()}, dag({"a": task("c")}))
    return replace(
        found, platform={"platforms": {"kubernetes": {"deploymentSpec": {"executors": {"exec-c": settings}}}}}
    )


CHAIN = {f"n{i}": dag({"t": task(f"n{i + 1}")}) for i in range(70)}
NESTED = {"n": dag({"t": task("m")}), "m": dag({"t": task("n")})}


@pytest.mark.parametrize(
    ("pack", "said"),
    [
        (package({}, dag({}), version="3.0.0"), "schemaVersion `3.0.0`"),
        (package({}, job()), "executor `` , which does not exist|names the executor ``"),
        (package({}, {}), "component `root` has neither a `dag` nor an `executorLabel`"),
        (Package("p", {"schemaVersion": "2.1.0", "root": []}), "`root` of the pipeline spec is not a map"),
        (on_kubernetes({"pvcMount": "data"}), "`pvcMount` of the Kubernetes settings of executor `exec-c`"),
        (on_kubernetes({"secretAsEnv": [{"keyToEnv": ["KEY"]}]}), "`keyToEnv` of the Kubernetes settings"),
        (on_kubernetes({"podMetadata": {"labels": []}}), "`labels` of the Kubernetes settings"),
        (executor({"resolver": {}}), "is a resolver"),
        (executor({"customJob": {}}), "only Google Cloud can run"),
        (executor({}), "neither a container nor an importer"),
        (executor({"importer": {}}), "imports nothing"),
        (executor({"container": {"image": ["a"]}}), "the `image` of executor `exec-c` is not a text"),
        (
            executor({"container": {"command": "ls"}}),
            "the `command` of executor `exec-c` is not a list of texts",
        ),
        (
            executor({"container": {"args": [{"a": 1}]}}),
            "the `args` of executor `exec-c` is not a list of texts",
        ),
        (executor({"container": {"env": ["A=1"]}}), "the `env` of executor `exec-c` is not a list of names"),
        (
            executor({"container": {"env": [{"name": 1}]}}),
            "the `env` of executor `exec-c` is not a list of names",
        ),
        (executor({"container": {"resources": []}}), "`resources` of executor `exec-c` is not a map"),
        (package({}, dag({"a": task("d")})), "names the component `d`, which does not exist"),
        (package(JOB, dag({"a/b": task("c")})), "contains `/`"),
        (one(dependentTasks=["b"]), "names the task `b`, which does not exist"),
        (one(dependentTasks=3), "not a pipeline spec"),
        (one(dependentTasks=["a"]), "wait for each other: `a` → `a`"),
        (
            package(JOB, dag({"a": task("c", after=["b"]), "b": task("c", {"x": out("a")})})),
            "wait for each other: `a` → `b` → `a`",
        ),
        (package(NESTED, dag({"a": task("n")})), "component `n` contains itself: n → m → n"),
        (package({**CHAIN, "n70": job()}, dag({"a": task("n0")})), "nested more than 60 levels deep"),
        (one(inputs={"parameters": {"x": outer("p")}}), "names the parameter of its component `p`"),
        (one(inputs={"parameters": {"x": {}}}), "an input parameter without a source"),
        (one(inputs={"artifacts": {"x": {}}}), "an input artifact without a source"),
        (
            package(JOB, dag({"a": task("c"), "b": task("c", {"x": out("a", "Out")})})),
            "names the output of task `a` `Out`, which does not exist; did you mean `Output`?",
        ),
        (
            package(JOB, dag({"a": task("c"), "b": task("c", arts={"x": art("a", "n")})})),
            "names the output of task `a` `n`",
        ),
        (package(JOB, dag({"a": task("c")}, gives={"o": (STR, "b")})), "the outputs of component `root`"),
        (one(**each("[1", "x")), "the items of task `a` of component `root` are not JSON"),
        (one(**each("{}", "x")), "are not a list"),
        (one(**each("@y", "x")), "names the loop input `y`"),
        (one(parameterIterator={"itemInput": "x"}), "an iterator without items"),
        (one(parameterIterator={}, artifactIterator={}), "two iterators"),
        (one(retryPolicy={"maxRetryCount": "many"}), "`many` where a number is meant"),
        (one(retryPolicy={"maxRetryCount": -1}), "makes no sense"),
        (one(retryPolicy={"backoffDuration": "soon"}), "the duration `soon`"),
    ],
)
def test_refusals(pack: Package, said: str) -> None:
    with pytest.raises(engine.EngineError) as caught:
        engine.load(pack)
    assert said in str(caught.value) or re.search(said, str(caught.value))


def test_an_importer_with_a_condition_is_refused_as_on_a_cluster() -> None:
    spec = {"importer": {"artifactUri": {"constant": "x"}}}
    root = dag({"a": task("c", {"x": const("x")}, when="true")})
    with pytest.raises(engine.EngineError, match="an importer with a condition"):
        engine.load(package(JOB, root, executors={"exec-c": spec}))


def test_components_that_nothing_reaches_are_not_read() -> None:
    assert engine.load(package({"broken": {}}, dag({}))).components.keys() == {"root"}
