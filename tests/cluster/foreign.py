"""What others have on the servers: things that kfgit must see, and must never touch."""

from __future__ import annotations

from tests.cluster import looking
from tests.cluster.looking import Strangers
from tests.cluster.stand import Stand

_PACKAGE = {
    "schemaVersion": "2.1.0",
    "sdkVersion": "kfp-2.17.0",
    "pipelineInfo": {"name": "theirs"},
    "components": {"comp-work": {"executorLabel": "exec-work"}},
    "deploymentSpec": {
        "executors": {"exec-work": {"container": {"image": "alpine:3.20", "command": ["true"]}}}
    },
    "root": {
        "dag": {"tasks": {"work": {"taskInfo": {"name": "work"}, "componentRef": {"name": "comp-work"}}}}
    },
}
RUN = "0f0f0f0f-1111-4222-8333-444444444444"


def settle_in(stand: Stand) -> Strangers:
    """A pipeline with a version, an experiment, a run, a schedule and a ConfigMap."""
    kfp = stand.kfp
    pipeline = kfp.ask("POST", "pipelines", {"name": "theirs", "display_name": "theirs"})["pipeline_id"]
    kfp.upload(pipeline, "v1", _PACKAGE)
    experiment = kfp.ask("POST", "experiments", {"display_name": "theirs"})["experiment_id"]
    kfp.ask(
        "POST", "runs",
        {"run_id": RUN, "display_name": "first", "experiment_id": experiment, "pipeline_spec": _PACKAGE},
    )  # fmt: skip
    configmap = stand.kube.create(
        f"/api/v1/namespaces/{stand.name}/configmaps", {"metadata": {"name": "theirs"}, "data": {"a": "b"}}
    )
    schedule = _schedule(stand, "theirs", "ENABLE")
    return looking.strangers(stand, pipeline, experiment, RUN, configmap["metadata"]["uid"], schedule)


def namesakes(stand: Stand, *names: str) -> frozenset[str]:
    """Schedules of the names that ours have: one that is on, one that is off."""
    return frozenset(_schedule(stand, name, mode) for name in names for mode in ("ENABLE", "DISABLE"))


def _schedule(stand: Stand, name: str, mode: str) -> str:
    made = stand.kfp.ask(
        "POST",
        "recurringruns",
        {
            "display_name": name, "description": "somebody else's", "pipeline_spec": _PACKAGE, "mode": mode,
            "max_concurrency": "1", "no_catchup": True, "trigger": {"cron_schedule": {"cron": "0 0 4 * * *"}},
        },
    )  # fmt: skip
    stand.foreign(made["recurring_run_id"])
    return str(made["recurring_run_id"])
