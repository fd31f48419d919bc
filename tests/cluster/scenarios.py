"""What is applied while something goes wrong: two commits of a project each, and what is on the servers before.

Names of what has no namespace end in the stand's own, which stands here as STAND.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PROJECT = """\
apiVersion: kfgit.dev/v1
kind: Project
metadata: {name: demo}
spec: {defaultEnvironment: prod}
"""
ENVIRONMENT = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  target:
    type: cluster
    context: tests
    namespace: STAND
    kfp:
      endpoint: ENDPOINT
      auth: {type: bearer, tokenFile: TOKEN}
  prune: {schedules: delete, experiments: delete, pipelines: delete, runs: delete, profiles: delete}
"""
TOOLS = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: say}
spec:
  inputs: {text: {type: string, default: hello}, rate: {type: float, default: 1.0}}
  container:
    image: alpine:3.20
    command: [echo, $(inputs.text), "$(inputs.rate)"]
"""
GOLD = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: gold}
spec:
  requests: {cpu: 1}
  priority: {class: gold-STAND, value: 1000}
"""

# What Kubernetes keeps for profiles by itself; the count and the class of a claim cannot be changed in place.
KEPT = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: kept}
spec:
  quota: {cpu: "64", nvidia.com/gpu: 8}
  limitRange: {default: {memory: 1Gi}}
  deviceClass: {name: l4-STAND, selectors: [device.driver == 'a']}
  claim: {name: devices, deviceClass: l4-STAND, count: 2}
"""


def pipeline(name: str, text: str = "one") -> str:
    """A pipeline whose content is `text`."""
    return f"""\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {{name: {name}, description: The pipeline {name}.}}
spec:
  inputs: {{lr: {{type: float, default: 0.5}}}}
  tasks:
    first: {{component: say, inputs: {{text: "{text}"}}}}
    second: {{component: say, inputs: {{rate: "$(inputs.lr)"}}, after: [first]}}
"""


def schedule(name: str, of: str, when: str = "cron: 0 2 * * *", more: str = "") -> str:
    """A schedule of a pipeline."""
    return f"""\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {{name: {name}, description: Each night.}}
spec: {{pipeline: {of}, experiment: course, {when}{more}}}
"""


def run(name: str, of: str, trigger: str, more: str = "") -> str:
    """A run that apply starts."""
    return f"""\
apiVersion: kfgit.dev/v1
kind: Run
metadata: {{name: {name}}}
spec: {{pipeline: {of}, experiment: course, trigger: {trigger}{more}}}
"""


def experiment(name: str, description: str = "All of it.") -> str:
    """An experiment."""
    return f"""\
apiVersion: kfgit.dev/v1
kind: Experiment
metadata: {{name: {name}}}
spec: {{description: {description}}}
"""


Files = Mapping[str, str]

BASE: Files = {
    "kfgit.yaml": PROJECT,
    "environments/prod.yaml": ENVIRONMENT,
    "components/say.yaml": TOOLS,
    "components/gold.yaml": GOLD,
    "pipelines/train.yaml": pipeline("train"),
    "pipelines/serve.yaml": pipeline("serve"),
    "pipelines/course.yaml": experiment("course"),
    "pipelines/nightly.yaml": schedule("nightly", "train"),
    "pipelines/hourly.yaml": schedule("hourly", "serve", "every: 1h", ", catchup: true"),
    "pipelines/first.yaml": run("first", "train", "once"),
}


@dataclass(frozen=True, slots=True)
class Scenario:
    """`before` is applied in peace, `after` while something goes wrong. Without `before` nothing of kfgit's is there.

    `ticks` says that schedules have fired in between. `command` is what goes wrong; `then` follows in peace, and the
    last of it must find nothing to do. `namesakes`: before it, others have made schedules of the same names.
    """

    after: Files
    before: Files | None = None
    ticks: bool = False
    command: tuple[str, ...] = ("apply", "-e", "prod", "--yes")
    confirm: tuple[str, ...] = ()
    then: tuple[tuple[str, ...], ...] = (("plan", "-e", "prod", "--exit-code"),)
    namesakes: bool = True


def _but(changed: Mapping[str, str | None]) -> Files:
    merged = {**BASE, **changed}
    return {path: text for path, text in merged.items() if text is not None}


# What nobody can adopt.
_ALONE: Mapping[str, str | None] = {"profiles/gold.yaml": None, "pipelines/first.yaml": None}

SCENARIOS: Mapping[str, Scenario] = {
    "create": Scenario(BASE),
    "change": Scenario(
        _but(
            {
                "pipelines/train.yaml": pipeline("train", "two"),
                "pipelines/serve.yaml": pipeline("serve", "two"),
            }
        ),
        BASE,
    ),
    "trigger": Scenario(
        _but(
            {
                "pipelines/nightly.yaml": schedule("nightly", "train", "cron: 30 3 * * *"),
                "pipelines/hourly.yaml": schedule("hourly", "serve", "every: 2h", ", catchup: true"),
            }
        ),
        BASE,
    ),
    "inputs": Scenario(
        _but(
            {
                "pipelines/nightly.yaml": schedule("nightly", "train", more=", inputs: {lr: 0.25}"),
                "pipelines/hourly.yaml": schedule(
                    "hourly", "serve", "every: 1h", ", catchup: true, inputs: {lr: 0.25}"
                ),
            }
        ),
        BASE,
        ticks=True,
    ),
    "enable": Scenario(
        BASE,
        _but(
            {
                "pipelines/nightly.yaml": schedule("nightly", "train", more=", enabled: false"),
                "pipelines/hourly.yaml": schedule(
                    "hourly", "serve", "every: 1h", ", catchup: true, enabled: false"
                ),
            }
        ),
    ),
    "disable": Scenario(
        _but({"pipelines/nightly.yaml": schedule("nightly", "train", more=", enabled: false")}), BASE
    ),
    "prune": Scenario(
        _but({"pipelines/hourly.yaml": None, "pipelines/serve.yaml": None, "pipelines/extra.yaml": None}),
        _but({"pipelines/extra.yaml": experiment("extra")}),
        confirm=("pipeline/serve", "experiment/extra", "schedule/hourly"),
    ),
    "runs": Scenario(
        _but(
            {
                "pipelines/second.yaml": run("second", "serve", "onChange", ", inputs: {lr: 0.25}"),
                "pipelines/third.yaml": run("third", "serve", "onApply"),
                "pipelines/fourth.yaml": run("fourth", "serve", "once"),
            }
        ),
        _but(
            {
                "pipelines/second.yaml": run("second", "serve", "onChange"),
                "pipelines/third.yaml": run("third", "serve", "onApply"),
            }
        ),
    ),
    "kept": Scenario(
        _but(
            {
                "components/kept.yaml": KEPT.replace("gpu: 8", "gpu: 4").replace("count: 2", "count: 3"),
                "components/more.yaml": KEPT.replace("name: kept", "name: more")
                .replace("l4-STAND", "more-STAND")
                .replace("devices", "more"),
            }
        ),
        _but({"components/kept.yaml": KEPT}),
    ),
    # As many as go without a word.
    "unkept": Scenario(
        _but(
            {
                "components/kept.yaml": KEPT[: KEPT.index("  quota")]
                + "  limitRange: {default: {memory: 1Gi}}\n"
            }
        ),
        _but({"components/kept.yaml": KEPT}),
    ),
    "classes": Scenario(_but({"components/gold.yaml": GOLD.replace("1000", "2000")}), BASE),
    "rename": Scenario(
        _but(
            {
                "pipelines/nightly.yaml": None,
                "pipelines/evening.yaml": schedule("evening", "train"),
                "pipelines/first.yaml": None,
            }
        ),
        BASE,
    ),
    "destroy": Scenario(
        BASE,
        BASE,
        command=("destroy", "-e", "prod", "--yes"),
        then=(("destroy", "-e", "prod", "--yes"),),
    ),
    "adopt": Scenario(
        _but(_ALONE),
        _but({**_ALONE, "kfgit.yaml": PROJECT.replace("demo", "other")}),
        command=("adopt", "pipeline/*", "schedule/*", "experiment/*", "-e", "prod", "--yes", "--from-other"),
        then=(("apply", "-e", "prod", "--yes"), ("plan", "-e", "prod", "--exit-code")),
        namesakes=False,
    ),
}
