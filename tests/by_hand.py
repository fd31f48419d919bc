"""What people make on a KFP server without kfgit, and what is on it: asked past kfgit, as any client does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

PLACEHOLDER = "{{$.pipeline_job_name}}"
# Each of these words means something to YAML, to templates or to references, and here itself.
TEXT = f"$(inputs.x) {{{{ vars.y }}}} {PLACEHOLDER} {{% if %}} # ü\n: no"


def ir(name: str, text: str = "one") -> dict[str, Any]:
    """A pipeline as a compiler of KFP's writes it, with what a server does not keep."""
    container = {"image": "alpine:3.20", "command": ["echo"], "args": [text], "env": []}
    inputs: dict[str, Any] = {
        "lr": {"parameterType": "NUMBER_DOUBLE", "defaultValue": 0.5, "isOptional": True},
        "text": {"parameterType": "STRING", "isOptional": True},
        "conf": {"parameterType": "STRUCT", "isOptional": True},
    }
    work = {
        "taskInfo": {"name": "work"},
        "componentRef": {"name": "comp-work"},
        "cachingOptions": {"enableCache": True},
    }
    return {
        "schemaVersion": "2.1.0",
        "sdkVersion": "kfp-2.14.0",
        "pipelineInfo": {"name": name, "description": "From the package.", "displayName": "Packaged"},
        "components": {"comp-work": {"executorLabel": "exec-work"}},
        "deploymentSpec": {"executors": {"exec-work": {"container": container}}},
        "root": {"inputDefinitions": {"parameters": inputs}, "dag": {"tasks": {"work": work}}},
    }


@dataclass(frozen=True, slots=True)
class Server:
    """A KFP server."""

    url: str

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Any:
        """What it answers."""
        url = f"{self.url}/apis/v2beta1/{path}"
        told = httpx.request(method, url, json=body, timeout=60, trust_env=False, **more)
        assert told.is_success, f"{method} {path}: {told.text}"
        return told.json()

    def pipeline(self, name: str, content: Mapping[str, Any], display_name: str | None = None) -> Any:
        """A pipeline with its first version, which has the same name."""
        shown = {"display_name": display_name} if display_name else {}
        return self._upload("upload", {"name": name, **shown}, content)

    def version(self, pipeline_id: str, name: str, content: Mapping[str, Any]) -> str:
        """A further version; its id."""
        made = self._upload("upload_version", {"pipelineid": pipeline_id, "name": name}, content)
        return str(made["pipeline_version_id"])

    def versions(self, pipeline_id: str) -> dict[str, str]:
        """Ids of versions by their names."""
        told = self.ask("GET", f"pipelines/{pipeline_id}/versions?page_size=200")
        return {each["name"]: each["pipeline_version_id"] for each in told["pipeline_versions"]}

    def experiment(self, name: str, description: str = "") -> str:
        """An experiment; its id."""
        body = {"display_name": name, **({"description": description} if description else {})}
        return str(self.ask("POST", "experiments", body)["experiment_id"])

    def schedule(self, name: str, pipeline_id: str, version_id: str | None = None, **more: Any) -> str:
        """A schedule, each night at two unless it is said otherwise; its id."""
        version = {"pipeline_version_id": version_id} if version_id else {}
        body = {
            "display_name": name,
            "pipeline_version_reference": {"pipeline_id": pipeline_id, **version},
            "max_concurrency": "1",
            "mode": "ENABLE",
            "no_catchup": True,
            "trigger": {"cron_schedule": {"cron": "0 0 2 * * *"}},
            **more,
        }
        return str(self.ask("POST", "recurringruns", body)["recurring_run_id"])

    def everything(self) -> dict[str, Any]:
        """All that is there by id, but for the tags, which say whose it is."""
        found: dict[str, Any] = {}
        for path, key, id_ in (
            ("experiments", "experiments", "experiment_id"),
            ("pipelines", "pipelines", "pipeline_id"),
            ("recurringruns", "recurringRuns", "recurring_run_id"),
        ):
            found |= {each[id_]: each for each in self.ask("GET", f"{path}?page_size=200").get(key, [])}
        for pipeline in [each["pipeline_id"] for each in found.values() if "pipeline_id" in each]:
            told = self.ask("GET", f"pipelines/{pipeline}/versions?page_size=200")
            found |= {each["pipeline_version_id"]: each for each in told.get("pipeline_versions", [])}
        return {id_: {key: each[key] for key in each if key != "tags"} for id_, each in found.items()}

    def _upload(self, path: str, query: Mapping[str, str], content: Mapping[str, Any]) -> Any:
        files = {"uploadfile": ("pipeline.json", json.dumps(content))}
        return self.ask("POST", f"pipelines/{path}", params=query, files=files)


@dataclass(frozen=True, slots=True)
class Made:
    """The id of the schedule that takes the newest version at each start."""

    follower: str


def make(server: Server) -> Made:
    """All sorts of things."""
    churn = server.pipeline("churn", ir("churn"))["pipeline_id"]
    model = server.pipeline("Churn Model (prod)", ir("other-name"), "Churn!")["pipeline_id"]
    newest = server.version(model, "v2", ir("other-name", "two"))
    first = server.versions(model)["Churn Model (prod)"]
    mine = server.versions(churn)["churn"]
    growth = server.experiment("Growth Team", "what {{ grows }}")
    plain = server.experiment("growth-team")
    conf = {"a": [1, 2.5, 1e-5, None, "no", "012", "1e3"], "b c": {"deep": ["{{ x }}", "$(y)"]}}
    given = {"parameters": {"lr": 1, "text": TEXT, "conf": conf}, "pipeline_root": "s3://bucket/root"}
    server.schedule("nightly", churn, mine, experiment_id=growth, runtime_config=given)
    window = {"start_time": "2030-01-01T00:00:00Z", "end_time": "2031-01-01T00:00:00Z"}
    server.schedule(
        "Every Day!", model, first, trigger={"periodic_schedule": {"interval_second": "7200", **window}},
        no_catchup=False, max_concurrency="3", mode="DISABLE",
    )  # fmt: skip
    server.schedule("weekly", model, newest, experiment_id=plain, service_account="somebody")
    seconds = {"cron_schedule": {"cron": "30 5 1 * * 1-5"}}
    server.schedule("twice", model, newest)
    server.schedule("twice", model, newest, trigger=seconds)
    follower = server.schedule("follows", model)
    never = {"cron_schedule": {"cron": "0 0 0 31 2 *"}}
    server.schedule("strange", churn, mine, trigger=never)
    inline = {
        "display_name": "inline",
        "pipeline_spec": ir("inline"),
        "max_concurrency": "1",
        "mode": "ENABLE",
    }
    server.ask("POST", "recurringruns", {**inline, "trigger": {"cron_schedule": {"cron": "0 0 2 * * *"}}})
    return Made(follower)
