"""What the team of the stories keeps in its repository."""

from __future__ import annotations

from collections.abc import Mapping

from tests.workflows.team import Site

PROJECT = """\
apiVersion: kfgit.dev/v1
kind: Project
metadata: {name: churn}
spec:
  environments: [staging, prod]
  defaultEnvironment: staging
"""
COMPONENT = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: greet}
spec:
  inputs: {name: {type: string}}
  container: {image: docker.io/library/alpine:3.20, script: 'echo "Hello, $(inputs.name)"'}
"""
PIPELINE = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: churn}
spec:
  inputs: {name: {type: string, default: world}}
  tasks:
    first: {component: greet, inputs: {name: $(inputs.name)}}
    second: {component: greet, inputs: {name: again}, after: [first]}
"""
SCHEDULE = """\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: nightly}
spec: {pipeline: churn, cron: 0 2 * * *}
"""
SMOKE = """\
apiVersion: kfgit.dev/v1
kind: Run
metadata: {name: smoke}
spec: {pipeline: churn, trigger: onChange, inputs: {name: smoke}}
"""


def environment(site: Site, git: str) -> str:
    """The environment of a site."""
    return f"""\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {{name: {site.name}}}
spec:
  git: {git}
  target:
    type: cluster
    context: tests
    namespace: {site.namespace}
    kfp:
      endpoint: {site.server.url}
      auth: {{type: bearer, tokenFromEnv: KFP_TOKEN}}
      timezone: UTC
"""


def documents(
    sites: Mapping[str, Site], prod: str = "{branch: prod, promotesFrom: staging}"
) -> dict[str, str | None]:
    """Everything; `prod` says which branch it has."""
    return {
        "kfgit.yaml": PROJECT,
        "components/greet.yaml": COMPONENT,
        "pipelines/churn.yaml": PIPELINE,
        "pipelines/schedules.yaml": SCHEDULE,
        "pipelines/smoke.yaml": SMOKE,
        "environments/staging.yaml": environment(sites["staging"], "{branch: main}"),
        "environments/prod.yaml": environment(sites["prod"], prod),
        ".gitignore": ".kfgit/\n",
    }
