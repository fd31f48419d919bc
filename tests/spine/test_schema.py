"""The schemas, and what is said of documents that break them."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from jsonschema import Draft202012Validator

from kfgit.diagnostics import Diagnostic
from kfgit.document import Entry, Mapping, Origin, Scalar, parse, plain
from kfgit.schema import Schemas, bundled, strict, validate
from kfgit.schema.accepting import compiled
from kfgit.schema.words import flow as _flow
from kfgit.source import SourceFile, Span

FOLDER = Path(__file__).parents[2] / "schemas"
SCHEMAS = Schemas.load(
    {path.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.schema.json"))}
)
KINDS = SCHEMAS.kinds


def root_of(text: str) -> Mapping:
    checked = parse(SourceFile("x.yaml", text.encode()))
    assert all(d.severity == "warning" for d in checked.diagnostics), checked.diagnostics
    (document,) = checked.value
    assert isinstance(document.root, Mapping)
    return document.root


def check(text: str) -> tuple[Diagnostic, ...]:
    root = root_of(text)
    return validate(root, str(plain(root)["kind"]), SCHEMAS)


def document(kind: str, spec: str) -> str:
    return f"apiVersion: kfgit.dev/v1\nkind: {kind}\nmetadata: {{name: x}}\nspec:\n" + spec


def task(text: str) -> str:
    return document("Pipeline", f"  tasks:\n    a: {text}\n")


VALID = {
    "component": document(
        "Component",
        """
  inputs:
    data: {type: Dataset}
    lr: {type: float, default: 1e-1, min: 0, max: 1, description: "how fast"}
    objective: {type: string, default: a, enum: [a, b], pattern: "[a-z]+"}
    force: {type: bool, optional: true}
  outputs:
    model: {type: Model}
    many: {type: list<float>}
    custom: {type: google.VertexModel@0.0.1}
  container:
    image: ghcr.io/acme/train:1
    command: [python, -m, train]
    args:
      - --lr=$(inputs.lr)
      - {if: {present: force, then: [--force], else: [{concat: [--no, -force]}]}}
      - {concat: ["--data=", $(inputs.data.path)]}
    env:
      LEVEL: info
      TOKEN: {secret: slack, key: token, optional: true}
      MODE: {configMap: settings, key: mode}
      POD: {fieldPath: metadata.name}
""",
    ),
    "python": document(
        "Component",
        "  python: {file: a.py, function: f, baseImage: python:3.12, packages: [pandas], indexUrls: [https://x]}\n",
    ),
    "inline python": document("Component", "  python:\n    function: f\n    source: |\n      def f(): ...\n"),
    "notebook": document("Component", "  notebook: {file: a.ipynb, packages: [pandas]}\n"),
    "script": document("Component", "  container: {image: alpine, script: echo hello}\n"),
    "pipeline": document(
        "Pipeline",
        """
  inputs:
    lrs: {type: list, default: [0.3, 1e-1]}
    x: {type: string, default: null}
  outputs:
    out: {type: Dataset, from: $(tasks.snapshot.outputs.artifact), description: all}
  defaults: {cache: true, retry: {max: 2, backoff: 30s, factor: 2, maxDuration: 1h}, profile: cpu-small}
  workspace: {size: 10Gi, kubernetes: {pvcSpecPatch: {accessModes: [ReadWriteMany]}}}
  pipelineRoot: s3://bucket/kfp
  ttl: {finished: 7d, success: 1d, failure: 14d}
  activeDeadline: 6h
  displayName: Everything
  externalName: Everything (old)
  tasks:
    snapshot: {import: {uri: $(inputs.x), type: Dataset, reimport: false, metadata: {a: $(inputs.x)}}}
    features: {pipeline: other, inputs: {raw: $(tasks.snapshot.outputs.artifact)}, cache: {key: v3}}
    sweep:
      forEach: $(inputs.lrs)
      parallelism: 2
      tasks:
        train: {component: train, inputs: {lr: $(item)}, timeout: 1h30m, after: [other], displayName: Train}
        fixed: {forEach: [1, 2], tasks: {b: {component: c}}}
    gate:
      switch:
        - when: $(inputs.x) == "a"
          tasks: {full: {component: deploy}}
          outputs: {endpoint: $(tasks.full.outputs.endpoint)}
        - tasks: {keep: {component: {container: {image: alpine}}}}
          outputs: {endpoint: $(tasks.keep.outputs.endpoint)}
    always: {component: c, when: true}
    heavy:
      component: c
      ignoreUpstreamFailure: true
      env: {A: b, C: {secret: s, key: k}}
      resources:
        requests: {cpu: 2, memory: 4Gi}
        limits: {cpu: 2500m, memory: 1.5Gi}
        accelerator: {resource: nvidia.com/mig-1g.10gb, count: 1, model: A100}
      kubernetes:
        secrets:
          - {name: slack, env: {TOKEN: token}, optional: true}
          - {name: $(inputs.x), mountPath: /certs}
        configMaps: [{name: settings, env: {A: a}, mountPath: /settings}]
        fieldPaths: {POD_IP: status.podIP}
        pvcs: [{name: $(inputs.x), mountPath: /data, subPath: a}]
        ephemeralVolumes:
          - {name: v, mountPath: /v, accessModes: [ReadWriteOnce], size: 5Gi, storageClassName: "", labels: {a: b}}
        emptyDirs: [{name: shm, mountPath: /dev/shm, medium: Memory, sizeLimit: 1Gi}]
        nodeSelector: {cloud.google.com/gke-accelerator: nvidia-l4}
        nodeAffinity:
          - {matchExpressions: [{key: zone, operator: In, values: [a]}], weight: 5}
          - requiredDuringSchedulingIgnoredDuringExecution:
              nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [a]}]}]
          - $(inputs.x)
        tolerations: [{key: gpu, operator: Exists, effect: NoExecute, tolerationSeconds: 5}, $(inputs.x)]
        podLabels: {team: growth}
        podAnnotations: {example.com/a: b}
        imagePullPolicy: IfNotPresent
        imagePullSecrets: [registry]
        securityContext: {runAsUser: 1000, runAsGroup: 1000, runAsNonRoot: true}
    dynamic:
      component: c
      kubernetes: {nodeSelector: $(inputs.x), nodeAffinity: $(inputs.x), tolerations: $(inputs.x)}
    volume:
      createPvc:
        nameSuffix: -a
        accessModes: [ReadWriteOnce]
        size: 5Gi
        storageClassName: fast
        volumeName: pv
        annotations: {example.com/a: b}
        dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: s}
    gone: {deletePvc: {name: $(tasks.volume.outputs.name)}, after: [heavy], cache: false}
  onExit: {component: report, inputs: {status: $(run.status)}, cache: false}
""",
    ),
    "package": document("Pipeline", "  package: packages/a.yaml\n  displayName: A\n"),
    "schedule": document(
        "Schedule",
        """
  pipeline: churn-train
  version: latest
  experiment: Churn (all)
  cron: "0 2 * * *"
  timezone: Europe/Zurich
  start: 2026-01-31T08:00:00Z
  end: 2026-12-31T08:00:00.5+01:00
  catchup: false
  maxConcurrency: 10
  enabled: true
  inputs: {tier: gold, n: 3}
  serviceAccount: runner
  pipelineRoot: s3://a/b
  externalName: Old
""",
    ),
    "interval": document("Schedule", "  pipeline: p\n  every: 2h\n"),
    "run": document(
        "Run",
        "  pipeline: p\n  experiment: e\n  inputs: {a: [1]}\n  wait: {for: succeeded, timeout: 45m}\n"
        "  trigger: onChange\n",
    ),
    "experiment": document("Experiment", "  description: All of it.\n  externalName: All\n"),
    "experiment without spec": "apiVersion: kfgit.dev/v1\nkind: Experiment\nmetadata: {name: x}\n",
    "profile": document(
        "ResourceProfile",
        """
  extends: base
  requests: {cpu: "6", memory: 24Gi, ephemeralStorage: 10Gi}
  limits: {cpu: "8", memory: 32Gi}
  accelerator: {resource: nvidia.com/gpu, count: 1, model: NVIDIA-L4}
  sharedMemory: 8Gi
  node:
    selector: {cloud.google.com/gke-accelerator: nvidia-l4}
    affinity: [{matchFields: [{key: metadata.name, operator: NotIn, values: [a]}]}]
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
  queue: {localQueue: gpu-batch, clusterQueue: gpu, flavor: l4}
  priority: {class: batch-low, value: 100}
  quota: {cpu: "64", memory: 256Gi, nvidia.com/gpu: 8}
  cost: {perHour: 0.81, currency: USD}
""",
    ),
    "environment": document(
        "Environment",
        """
  mode: development
  prefix: dev-
  git: {branch: main, promotesFrom: staging}
  target:
    type: cluster
    context: prod
    namespace: ml-prod
    serviceAccount: runner
    pipelineRoot: s3://a/b
    executor: auto
    kfp: {endpoint: "https://kfp.example.com", auth: {type: bearer, tokenFromEnv: TOKEN}, timezone: UTC}
  vars: {registry: ghcr.io/acme, deep: {any: [thing, 1, null]}}
  profiles: {gpu-default: gpu-l4}
  policies:
    pinnedImages: {value: true, level: warn}
    allowedRegistries: [ghcr.io/acme]
    maxGpusPerRun: 8
    budgetPerMonth: 99.5
    requiredLabels: [team]
    freeze: [{start: 2026-12-20T00:00:00Z, end: 2027-01-04T00:00:00Z, reason: closed}]
  prune: {schedules: delete, experiments: keep, pipelines: keep, runs: keep, profiles: delete}
  protect: ["schedule/churn-*"]
  retention: {runs: {count: 100, age: 30d}}
  gpu: emulate
  pin: {commit: 3f2a9c1d}
  patches:
    - {target: {kind: Pipeline, name: a}, merge: {spec: {tasks: null}}}
    - {target: {kind: Run, selector: {a: b}}, patch: [{op: replace, path: /spec/trigger, value: once}]}
    - {target: {kind: Run, selector: "a=b,c=d"}, patch: [{op: move, from: /spec/a, path: /spec/b}]}
""",
    ),
    "empty environment": "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: x}\n",
    "project": document(
        "Project",
        "  sources: [components]\n  vars: {a: 1}\n  environments: [dev, prod]\n  defaultEnvironment: dev\n"
        "  policies: {freeze: true}\n",
    ),
    "empty project": """
apiVersion: kfgit.dev/v1
kind: Project
metadata: {name: x, description: All., labels: {example.com/team: growth}, annotations: {a: "1 b"}}
""",
}

# (document, code, line, column, a part of "message | help")
FAULTY: tuple[tuple[str, str, int, int, str], ...] = (
    # keys
    (task("{componnet: c}"), "unknown-key", 6, 9, "`componnet` in `a` | did you mean `component`?"),
    (task("{component: c, depends_on: [b]}"), "unknown-key", 6, 23, "did you mean `after`?"),
    (task("{component: c, foreach: [b]}"), "unknown-key", 6, 23, "did you mean `forEach`?"),
    (task("{component: {image: x}}"), "unknown-key", 6, 21, "`image` stands under `container`"),
    (task("{component: {container: {imgae: x}}}"), "unknown-key", 6, 33, "did you mean `image`?"),
    # what Kubernetes and its tools write, and stands elsewhere here
    (document("ResourceProfile", "  limits: {nvidia.com/gpu: 1}\n"), "unknown-key", 5, 12,
     "in `limits` | devices are asked for as `accelerator: {resource: nvidia.com/gpu, count: 1}`, beside"),
    (document("ResourceProfile", "  requests: {gpu: 1}\n"), "unknown-key", 5, 14, "| devices are asked for as"),
    (document("ResourceProfile", "  gpus: 1\n"), "unknown-key", 5, 3, "| devices are asked for as `accelerator: {"),
    (document("ResourceProfile", "  nodeSelector: {pool: gpu}\n"), "unknown-key", 5, 3,
     "| labels of nodes stand under `node`: `node: {selector: {pool: gpu}}`"),
    (document("ResourceProfile", "  nodeAffinity: []\n"), "unknown-key", 5, 3, "stands under `node` as `affinity`"),
    (document("ResourceProfile", "  resources: {limits: {cpu: 1}}\n"), "unknown-key", 5, 3,
     "`requests`, `limits` and `accelerator` stand here, without a key around them"),
    (document("ResourceProfile", "  accelerator: {type: amd.com/gpu}\n"), "unknown-key", 5, 17,
     "did you mean `resource`?"),
    (task("{component: c, resources: {amd.com/gpu: 1}}"), "unknown-key", 6, 35, "| devices are asked for as `acc"),
    (task("{component: c, resources: {limits: {amd.com/gpu: 1}}}"), "unknown-key", 6, 44, "beside `requests` and"),
    (task("{component: c, resources: {limits: {ephemeral-storage: 1Gi}}}"), "unknown-key", 6, 44,
     "mount a volume with `kubernetes.ephemeralVolumes`"),
    (document("Project", "  profiles: {a: b}\n"), "unknown-key", 5, 3, "| each environment says what a profile means"),
    (task("{component: c, gpu: 1}"), "unknown-key", 6, 23, "`resources: {accelerator: {resource: nvidia.com/gpu,"),
    (task("{component: c, priorityClassName: high}"), "unknown-key", 6, 23, "with a `queue`, whose priority KFP"),
    (document("ResourceProfile", "  accelerator: {resource: amd.com/gpu, count: 2.0}\n"), "wrong-type", 5, 47,
     "not the number 2.0 | write `2`"),
    (document("ResourceProfile", "  accelerator: {resource: amd.com/gpu, count: 1e300}\n"), "wrong-type", 5, 47,
     "number 1e+300 | a part of a device has a name of its own"),
    (document("Run", "  pipeline: p\n  zzz: 1\n"), "unknown-key", 6, 3,
     "`zzz` in `spec` | keys that may stand here"),
    ("apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: a, desc: b}\n", "unknown-key", 3, 21,
     "`description`"),
    ("apiVersion: kfgit.dev/v1\nkind: Run\nmetadata: {name: x}\nspek: {}\n", "unknown-key", 4, 1, "`spec`"),
    ("kind: Project\nmetadata: {name: x}\n", "missing-key", 1, 1,
     "`apiVersion` is missing in the document | add it"),
    ("apiVersion: kfgit.dev/v1\nkind: Run\nmetadata: {}\nspec: {pipeline: p}\n", "missing-key", 3, 1,
     "`name` is miss"),
    (document("Component", "  container: {script: x}\n"), "missing-key", 5, 3,
     "`image: ghcr.io/acme/train:2.4.1`"),
    (task("{component: c, retry: {backoff: 3s}}"), "missing-key", 6, 23, "`max` is missing in `retry`"),
    (task("{forEach: $(inputs.x)}"), "missing-key", 6, 5, "`tasks` is missing in `a`"),
    (task("{inputs: {b: 1}}"), "missing-key", 6, 5, "a task needs exactly one of `component`, `pipeline`,"),
    (task("{switch: [{tasks: {b: {component: c}}}]}"), "missing-key", 6, 18, "`when` is missing in a branch"),
    (task("{switch: [{when: x}]}"), "missing-key", 6, 18, "`tasks` is missing in an item of `switch`"),
    (document("Component", "  inputs: {}\n"), "missing-key", 4, 1,
     "a component needs exactly one of `python`,"),
    (document("Schedule", "  pipeline: p\n"), "missing-key", 4, 1,
     "a schedule needs exactly one of `cron` and"),
    (document("Schedule", "  pipeline: p\n  cron: x\n  every: 2h\n"), "exclusive-keys", 7, 3,
     "here: `cron` and `every`"),
    (task("{component: c, pipeline: d}"), "exclusive-keys", 6, 23,
     "here: `component` and `pipeline` | keep one"),
    (task("{component: c, forEach: [1]}"), "exclusive-keys", 6, 23, "here: `component` and `forEach`"),
    (document("Component", "  container: {image: x, script: a, args: [b]}\n"), "exclusive-keys", 5, 36,
     "cannot have both"),
    (task("{pipeline: p, timeout: 3h}"), "misplaced-key", 6, 22,
     "`timeout` is allowed only beside `component`"),
    (task("{component: p, parallelism: 3}"), "misplaced-key", 6, 23, "allowed only beside `forEach`"),
    (task("{import: {uri: a, type: Model}, inputs: {}}"), "misplaced-key", 6, 40,
     "beside `component` or `pipeline`"),
    (
        document("Pipeline", "  tasks: {a: {component: c}}\n  onExit: {component: c, after: [a]}\n"),
        "misplaced-key", 6, 26, "an exit task cannot have `after`",
    ),
    (document("Pipeline", "  package: a.yaml\n  inputs: {}\n"), "misplaced-key", 6, 3, "beside `tasks`"),
    # types
    (task("{component: c, timeout: 30}"), "wrong-type", 6, 32,
     "must be a duration such as `30m`, not a number"),
    (task("{component: c, cache: yes}"), "wrong-type", 6, 30, "not a string | write `true`"),
    (task("{component: c, cache: 'false'}"), "wrong-type", 6, 30, "not a string | write `false`"),
    (task("{component: c, retry: 3}"), "wrong-type", 6, 30,
     "must be a map, not a number | for example `retry: {max: 3"),
    (task("{component: c, retry: {max: '3'}}"), "wrong-type", 6, 36,
     "a whole number, not a string | write `3` without"),
    (task("{component: c, retry: {max: 2.0}}"), "wrong-type", 6, 36, "a whole number, not the number 2.0"),
    (task("{component: c, retry: {max: true}}"), "wrong-type", 6, 36, "a whole number, not a boolean"),
    (task("{component: c, retry: {max: 1, factor: .nan}}"), "wrong-type", 6, 47, "not infinity or NaN"),
    (task("{component: c, after: b}"), "wrong-type", 6, 30,
     "must be a list, not a string | write a list: `[b]`"),
    (task("{component: c, after: 5}"), "wrong-type", 6, 30, "`after` must be a list, not a number"),
    (task("{component: 5}"), "wrong-type", 6, 20,
     "the name of a component, or a component written in place, not a n"),
    (task("{component: c, timeout: }"), "wrong-type", 6, 32, "not null | write a value, or remove the key"),
    (task("{forEach: 3, tasks: {b: {component: c}}}"), "wrong-type", 6, 18, "a list, or a reference such as"),
    (task("c"), "wrong-type", 6, 8, "`a` must be a map such as `{component: train}`, not a string"),
    (task("{component: c, env: {A: 5}}"), "wrong-type", 6, 32, 'not a number | quote it: `"5"`'),
    (task("{component: c, env: {A: true}}"), "wrong-type", 6, 32, 'not a boolean | quote it: `"true"`'),
    (task("{component: c, env: {A: 2.10}}"), "wrong-type", 6, 32, "not the number 2.1 | put it in quotes"),
    (task("{component: c, env: {A: [b]}}"), "wrong-type", 6, 32, "not a list"),
    (document("Component", "  container: {image: x, args: [1]}\n"), "wrong-type", 5, 32,
     "an item of `args` must be a str"),
    (document("Component", "  container: img\n"), "wrong-type", 5, 14,
     "`container` must be a map, not a string"),
    (document("Pipeline", "  inputs: {a: int}\n  tasks: {a: {component: c}}\n"), "wrong-type", 5, 15,
     "{type: float}"),
    (document("Environment", "  pin: {commit: 1234567}\n"), "wrong-type", 5, 17, 'quote it: `"1234567"`'),
    (document("Environment", "  mode: 1\n"), "wrong-type", 5, 9,
     "must be `production` or `development`, not a number"),
    (document("Run", ""), "wrong-type", 4, 6, "`spec` must be a map, not null"),
    # values
    ("apiVersion: v1\nkind: Project\nmetadata: {name: x}\n", "bad-value", 1, 13,
     "must be `kfgit.dev/v1`, not `v1` | did"),
    (document("Environment", "  mode: prod\n"), "bad-value", 5, 9, "not `prod` | did you mean `production`?"),
    (document("Run", "  pipeline: p\n  trigger: onchange\n"), "bad-value", 6, 12, "did you mean `onChange`?"),
    (document("Environment", "  policies: {pinnedImages: {value: true, level: stop}}\n"), "bad-value", 5, 49,
     "`warn` or `block`"),
    (task("{component: c, timeout: soon}"), "bad-format", 6, 32,
     "`30m`, not `soon` | write the number with its unit"),
    (task("{component: c, timeout: ''}"), "bad-format", 6, 32, "must be a duration such as `30m`, not ``"),
    (task('{component: c, timeout: "30m\\n"}'), "bad-format", 6, 32, "not `30m…`"),
    (task("{component: Train_X}"), "bad-format", 6, 20, "not `Train_X` | write `train-x`"),
    (task("{component: c, resources: {requests: {memory: 3GB}}}"), "bad-format", 6, 54,
     "an amount of bytes such as"),
    (task("{forEach: inputs.x, tasks: {b: {component: c}}}"), "bad-format", 6, 18,
     "not `inputs.x` | write `[1, 2]`"),
    (task("{component: c, env: {1A: x}}"), "bad-format", 6, 29,
     "`1A` is not the name of an environment variable"),
    (document("Pipeline", "  tasks: {Tr_X: {component: c}}\n"), "bad-format", 5, 11,
     "`Tr_X` is not a task name of lower-ca"),
    (document("Pipeline", "  tasks: {outputs: {component: c}}\n"), "reserved-name", 5, 11,
     "the name `outputs` is reserved"),
    (
        document("Component", "  inputs: {b-c: {type: int}}\n  container: {image: x}\n"),
        "bad-format", 5, 12, "that does not begin with a digit | write `b_c`",
    ),
    (
        document("Component", "  inputs: {b: {type: int, pattern: '['}}\n  container: {image: x}\n"),
        "bad-format", 5, 36, "must be a regular expression, not `[`",
    ),
    (
        document("Environment", "  policies: {freeze: [{start: 2026-13-01T00:00:00Z, end: 2027-01-01T00:00:00Z}]}\n"),
        "bad-format", 5, 31, "must be a time such as",
    ),
    (document("Environment", "  protect: [foo]\n"), "bad-format", 5, 13,
     "an item of `protect` must be `kind/name`"),
    (
        document("Schedule", "  pipeline: p\n  every: 2h\n  maxConcurrency: 11\n"),
        "out-of-range", 7, 19, "must be at most 10, not 11 | write a number from 1 to 10",
    ),
    (document("ResourceProfile", "  cost: {perHour: -1}\n"), "out-of-range", 5, 19,
     "at least 0, not -1 | write 0 or more"),
    (document("Pipeline", "  tasks: {}\n"), "empty", 5, 10, "`tasks` may not be empty"),
    (task("{switch: []}"), "empty", 6, 17, "`switch` may not be empty"),
    (document("Component", "  container: {image: ''}\n"), "empty", 5, 22, "`image` may not be empty"),
)  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_a_valid_document_has_no_diagnostics(name: str) -> None:
    assert check(VALID[name]) == ()


@pytest.mark.parametrize(("text", "code", "line", "column", "said"), FAULTY)
def test_one_mistake_is_one_diagnostic(text: str, code: str, line: int, column: int, said: str) -> None:
    (found,) = check(text)
    assert (found.code, found.span.line, found.span.column) == (code, line, column)
    assert said in f"{found.message} | {found.help}"


def test_every_mistake_is_told_in_the_order_of_the_text() -> None:
    found = check(document("Run", "  pipelin: p\n  wait: {for: success, timeout: 5}\n  trigger: never\n"))
    assert [(d.code, d.span.line) for d in found] == [
        ("unknown-key", 5), ("bad-value", 6), ("wrong-type", 6), ("bad-value", 7),
    ]  # fmt: skip


def with_trigger(scalar: Scalar) -> Mapping:
    root = root_of(document("Run", "  pipeline: p\n"))
    spec = root.entries["spec"]
    assert isinstance(spec.node, Mapping)
    entries = {**spec.node.entries, "trigger": Entry(scalar.span, scalar)}
    return Mapping(
        {**root.entries, "spec": Entry(spec.key_span, Mapping(entries, spec.node.span))}, root.span
    )


def test_a_rendered_value_names_its_variable() -> None:
    here, there = Span("x.yaml", 9, 1, 9, 5), Span("prod.yaml", 3, 7, 3, 9)
    (found,) = validate(
        with_trigger(Scalar("nver", here, origins=(Origin("vars.t", there),))), "Run", SCHEMAS
    )
    assert [(r.message, r.span) for r in found.related] == [("the value comes from `vars.t`", there)]


def test_a_template_that_failed_is_not_told_again() -> None:
    here = Span("x.yaml", 9, 1, 9, 5)
    failed = Scalar(None, here, plain=True, origins=(Origin("a template that failed", here),))
    assert validate(with_trigger(failed), "Run", SCHEMAS) == ()


def test_a_document_that_is_no_map() -> None:
    (found,) = validate(Scalar("x", Span("x.yaml", 1, 1, 1, 2)), "Run", SCHEMAS)
    assert (found.code, found.message) == ("wrong-type", "the document must be a map, not a string")


def test_an_example_in_a_help_can_be_copied() -> None:
    for schema in subschemas(bundled(SCHEMAS)):
        for value in schema.get("examples", ()) if isinstance(schema.get("examples"), list) else ():
            (document,) = parse(SourceFile("x.yaml", f"a: {_flow(value)}".encode())).value
            assert plain(document.root) == {"a": value}


# The files themselves.


def schemas_of_all() -> Iterator[tuple[str, Any]]:
    yield from SCHEMAS.files.items()
    for kind in (None, *KINDS):
        yield f"bundled {kind}", bundled(SCHEMAS, kind)
    for kind in KINDS:
        yield f"strict {kind}", strict(SCHEMAS, kind)


def test_every_schema_is_a_schema() -> None:
    for name, schema in schemas_of_all():
        Draft202012Validator.check_schema(schema)
        assert schema.get("$schema") == Draft202012Validator.META_SCHEMA["$id"], name


def subschemas(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        yield part
    for item in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from subschemas(item)


def fields(part: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field that a schema without references describes."""
    if isinstance(part, dict) and isinstance(part.get("additionalProperties"), (bool, dict)):
        for name, schema in part.get("properties", {}).items():
            yield f"{path}.{name}", schema
    for key, item in (
        part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    ):
        if key not in {"examples", "default"}:
            yield from fields(item, f"{path}.{key}")


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_is_described(kind: str) -> None:
    found = dict(fields(strict(SCHEMAS, kind)))
    assert found
    bare = [
        path for path, s in found.items() if "$ref" not in s and not (s.get("title") and s.get("description"))
    ]
    assert bare == []
    unclear = [
        path for path, s in found.items() if not {"examples", "default", "enum", "const", "$ref"} & s.keys()
    ]
    assert [path for path in unclear if not path.endswith(".spec")] == []


@pytest.mark.parametrize("kind", KINDS)
def test_examples_and_defaults_of_a_field_are_valid(kind: str) -> None:
    rules = strict(SCHEMAS, kind)
    validator = Draft202012Validator(rules)
    for path, schema in fields(rules):
        for value in [*schema.get("examples", ()), *([schema["default"]] if "default" in schema else ())]:
            faults = list(validator.evolve(schema=schema).iter_errors(value))
            assert faults == [], (path, value)


@pytest.mark.parametrize("kind", KINDS)
def test_maps_are_strict(kind: str) -> None:
    for schema in subschemas(strict(SCHEMAS, kind)):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            assert schema["additionalProperties"] is False


def test_references_lead_somewhere_and_stay_in_the_folder() -> None:
    for name, schema in SCHEMAS.files.items():
        for part in subschemas(schema):
            if isinstance(part.get("$ref"), str):
                file, _, pointer = part["$ref"].partition("#/$defs/")
                target = SCHEMAS.files[file or name]
                assert not pointer or pointer in target["$defs"], part["$ref"]


def test_a_bundle_refers_to_nothing_outside() -> None:
    for kind in (None, *KINDS):
        whole = bundled(SCHEMAS, kind)
        for part in subschemas(whole):
            if isinstance(part.get("$ref"), str):
                assert part["$ref"].removeprefix("#/$defs/") in whole["$defs"]


def test_a_bundle_is_the_same_each_time() -> None:
    assert json.dumps(bundled(SCHEMAS)) == json.dumps(bundled(SCHEMAS))
    assert bundled(SCHEMAS, "ResourceProfile") == bundled(SCHEMAS, "resourceprofile")


def test_beside_a_reference_stand_no_keywords_that_it_has_too() -> None:
    """References are inlined by laying what stands beside over them, so nothing but notes may be in both."""
    notes = {"title", "description", "examples", "default", "x-kfgit-form", "x-kfgit-help", "errorMessage"}
    whole = bundled(SCHEMAS)
    for part in subschemas({**whole, "$defs": whole["$defs"]}):
        if isinstance(part.get("$ref"), str):
            target = whole["$defs"][part["$ref"].removeprefix("#/$defs/")]
            inner = target.get("else", {}) if "if" in target else target
            clash = (part.keys() & (target.keys() | inner.keys())) - notes - {"$ref"}
            assert clash == set(), part


EDITORS = {kind: Draft202012Validator(bundled(SCHEMAS, kind)) for kind in KINDS}
COMBINED = Draft202012Validator(bundled(SCHEMAS))


def agreed(text: str) -> bool:
    """Whether the combined schema and that of the kind accept a document, which they must say alike."""
    value = plain(root_of(text))
    answer = COMBINED.is_valid(value)
    assert EDITORS[value["kind"]].is_valid(value) == answer
    return answer


@pytest.mark.parametrize("name", VALID)
def test_the_editors_schemas_accept_what_is_valid(name: str) -> None:
    assert agreed(VALID[name])


# What standard JSON Schema cannot say, or reads otherwise: else branches, `format`, 2.0 as an integer, NaN.
BEYOND = {
    "`when` is missing in a branch",
    "regular expression",
    "time such as",
    "number 2.0",
    "number 1e+300",
    "NaN",
    "`30m…`",
}


@pytest.mark.parametrize(("text", "code", "line", "column", "said"), FAULTY)
def test_the_editors_schemas_refuse_what_is_faulty(
    text: str, code: str, line: int, column: int, said: str
) -> None:
    assert agreed(text) == any(part in said for part in BEYOND), (code, line, column)


def test_the_combined_schema_knows_the_kinds() -> None:
    assert not COMBINED.is_valid({"apiVersion": "kfgit.dev/v1", "kind": "Pipelin", "metadata": {"name": "x"}})
    files = {f"{kind.lower()}.schema.json" for kind in KINDS} | {"common.schema.json", "kfgit.schema.json"}
    assert files == SCHEMAS.files.keys()


TEMPLATED = (
    task("{component: c, retry: {max: '{{ vars.n }}'}, cache: '{{ vars.c }}', timeout: '{{ vars.t }}'}"),
    task("{component: '{{ vars.c }}', after: '{{ vars.a }}', env: {A: '{{ vars.a }}'}}"),
    document(
        "Schedule", "  pipeline: p\n  cron: '{{ vars.c }}'\n  enabled: \"{{ env.mode == 'production' }}\"\n"
    ),
    document(
        "Environment", "  mode: '{% if x %}production{% endif %}'\n  policies: {freeze: '{{ vars.f }}'}\n"
    ),
)


@pytest.mark.parametrize("text", TEMPLATED)
def test_templates_are_for_editors_only(text: str) -> None:
    assert agreed(text)
    assert {d.code for d in check(text)} <= {"wrong-type", "bad-format", "bad-value"}
    assert check(text)


@pytest.mark.parametrize("kind", KINDS)
def test_every_schema_has_a_fast_answer(kind: str) -> None:
    assert compiled(SCHEMAS.strict(kind)) is not None


def test_the_validator_is_made_once() -> None:
    assert SCHEMAS.validator("Run") is SCHEMAS.validator("Run")


# Documents broken at random: nothing raises, and what the validator refuses is always told.

DOCUMENTS = [plain(root_of(text)) for text in VALID.values()]
JUNK = st.sampled_from(
    [None, True, 5, -1, 2.5, "", "x y", "$(a)", "{{ x }}", [], ["a", 1], {}, {"a": 1}, {"type": 3}]
)
MUTATIONS = st.lists(
    st.tuples(st.integers(0, 10_000), st.sampled_from(["drop", "put", "rename", "add"]), JUNK), max_size=4
)


def holders(value: Any) -> Iterator[Any]:
    if isinstance(value, (dict, list)) and value:
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from holders(item)


def mutate(value: Any, where: int, what: str, junk: Any) -> None:
    places = [
        (holder, key)
        for holder in holders(value)
        for key in (holder if isinstance(holder, dict) else range(len(holder)))
    ]
    holder, key = places[where % len(places)]
    if what == "drop":
        del holder[key]
    elif what == "put":
        holder[key] = copy.deepcopy(junk)
    elif isinstance(holder, dict):
        holder[f"{key}s" if what == "add" else f"{key}"[:-1]] = (
            holder[key] if what == "add" else holder.pop(key)
        )


@given(st.sampled_from(DOCUMENTS), MUTATIONS)
@settings(deadline=None, max_examples=300)
def test_what_is_refused_is_told(original: dict[str, Any], mutations: list[tuple[int, str, Any]]) -> None:
    kind, value = original["kind"], copy.deepcopy(original)
    for where, what, junk in mutations:
        if value:
            mutate(value, where, what, junk)
    (parsed,) = parse(SourceFile("x.yaml", json.dumps(value, indent=1).encode())).value
    found = validate(parsed.root, kind, SCHEMAS)
    assert bool(found) != SCHEMAS.validator(kind).is_valid(plain(parsed.root))
    assert SCHEMAS.accepts(plain(parsed.root), kind) == SCHEMAS.validator(kind).is_valid(plain(parsed.root))
    assert len({(d.span, d.message) for d in found}) == len(found)
    for diagnostic in found:
        assert diagnostic.span.file == "x.yaml"
        assert not diagnostic.message.endswith(".")
        assert not re.search(r"None|\bdict\b|schema", diagnostic.message), diagnostic
