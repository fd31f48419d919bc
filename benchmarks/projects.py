"""The repositories that are measured, written from here so that their size is a number."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

_PROJECT = """\
apiVersion: kfgit.dev/v1
kind: Project
metadata: {name: bench}
"""

_STEP = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: step}
spec:
  python:
    function: step
    source: |
      def step(number: int) -> int:
          return number + 1
"""

_NAP = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: nap}
spec:
  python:
    function: nap
    source: |
      def nap(seconds: int) -> int:
          import time

          time.sleep(seconds)
          return seconds
"""

_TRUE = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: "yes"}
spec:
  container: {image: "alpine:3.20", command: ["true"]}
"""

_SLEEP = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: sleep}
spec:
  inputs: {seconds: {type: int}}
  container: {image: "alpine:3.20", command: [sleep, $(inputs.seconds)]}
"""


_SCHEDULE = """\
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {{name: {name}}}
spec: {{pipeline: {of}, cron: "0 2 * * *"}}
"""

_PROD = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {{name: prod}}
spec:
  target: {{type: cluster, context: tests, kfp: {{endpoint: "http://127.0.0.1:{port}"}}}}
"""


_ROOMY = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: local}
spec: {target: {type: local, capacity: {memory: 32Gi}}}
"""

_PROFILES = """\
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: base}
spec: {requests: {cpu: 4, memory: 16Gi}, limits: {memory: 32Gi}, sharedMemory: 8Gi}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: l4}
spec:
  extends: base
  accelerator: {resource: nvidia.com/gpu, model: NVIDIA-L4}
  node: {selector: {nvidia.com/gpu.product: NVIDIA-L4}}
  cost: {perHour: 0.81}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: a100}
spec:
  extends: base
  accelerator: {resource: nvidia.com/gpu, model: NVIDIA-A100-SXM4-80GB}
  node: {selector: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB}}
  cost: {perHour: 3.67}
"""

_MEANING = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {{name: local}}
spec: {{profiles: {{gpu: {meaning}}}}}
"""


def empty(root: Path) -> Path:
    """A project without anything."""
    return _written(root, {})


def chain(root: Path, tasks: int) -> Path:
    """The pipeline `chain`: python tasks, each of which waits for the number that the one before it gives."""
    uses = ((f"t{i}", f"{{number: {f'$(tasks.t{i - 1}.outputs.Output)' if i else 0}}}") for i in range(tasks))
    return _written(root, {"components/step": _STEP, "pipelines/chain": _pipeline("chain", "step", uses)})


def naps(root: Path, tasks: int, seconds: int) -> Path:
    """The pipelines `containers` and `functions`: independent tasks that do nothing for so many seconds."""
    uses = [(f"t{i}", f"{{seconds: {seconds}}}") for i in range(tasks)]
    return _written(
        root,
        {
            "components/sleep": _SLEEP,
            "components/nap": _NAP,
            "pipelines/containers": _pipeline("containers", "sleep", iter(uses)),
            "pipelines/functions": _pipeline("functions", "nap", iter(uses)),
        },
    )


def trues(root: Path, tasks: int) -> Path:
    """The pipelines `flat`, with so many independent container tasks that do nothing, and `one`."""
    return _written(
        root,
        {
            "components/yes": _TRUE,
            "pipelines/flat": _pipeline("flat", "yes", ((f"t{i}", "") for i in range(tasks))),
            "pipelines/one": _pipeline("one", "yes", iter([("t0", "")])),
        },
    )


def asking(root: Path, tasks: int, memory: str) -> Path:
    """The pipeline `flat` of `trues`, whose tasks ask for so much of 32 GiB of memory, or for none."""
    trues(root, tasks)
    flat = root / "pipelines" / "flat.yaml"
    if memory:
        resources = f"defaults: {{resources: {{requests: {{memory: {memory}}}}}}}"
        text = flat.read_text(encoding="utf-8")
        flat.write_text(text.replace("  tasks:\n", f"  {resources}\n  tasks:\n", 1), encoding="utf-8")
    return _written(root, {"environments/local": _ROOMY})


def priced(root: Path, pipelines: int, meaning: str | None) -> Path:
    """Pipelines of ten tasks that name profiles, each with a schedule, and what the name means; None: none is named."""
    files = {f"components/part-{i}": _part(i) for i in range(10)}
    for i in range(pipelines):
        work = _work(i, 10, 10)
        if meaning is not None:
            work = work.replace("      retry:\n", "      profile: gpu\n      retry:\n")
        files[f"pipelines/work-{i}"] = work
        files[f"pipelines/every-{i}"] = _SCHEDULE.format(name=f"every-{i}", of=f"work-{i}")
    if meaning is not None:
        files["components/profiles"] = _PROFILES
        files["environments/local"] = _MEANING.format(meaning=meaning)
    return _written(root, files)


def flat(root: Path, tasks: int) -> Path:
    """The pipeline `flat`: independent python tasks, what `peers/kfp_compile.py` says in KFP's own language."""
    uses = ((f"t{i}", f"{{number: {i}}}") for i in range(tasks))
    return _written(root, {"components/step": _STEP, "pipelines/flat": _pipeline("flat", "step", uses)})


def small(root: Path, documents: int) -> Path:
    """Documents of about 1 KB and 40 lines, half of them components, the rest pipelines that use them."""
    files = {f"components/part-{i}": _part(i) for i in range(documents // 2)}
    files |= {f"pipelines/work-{i}": _work(i, 5, documents // 2) for i in range(documents - len(files))}
    return _written(root, files)


def large(root: Path, documents: int) -> Path:
    """Pipelines of about 6.5 KB and 300 lines, and ten components that they use."""
    files = {f"components/part-{i}": _part(i) for i in range(10)}
    files |= {f"pipelines/work-{i}": _work(i, 42, 10) for i in range(documents)}
    return _written(root, files)


def deployed(root: Path, objects: int, port: int) -> dict[str, str]:
    """So many objects for a cluster whose KFP is at a port: pipelines, and schedules, which are told with their own."""
    pipelines = max(1, objects // 3)
    schedules = {f"every-{i}": f"work-{i % pipelines}" for i in range(objects - pipelines)}
    files = {f"pipelines/work-{i}": _work(i, 3, 10) for i in range(pipelines)}
    files |= {f"components/part-{i}": _part(i) for i in range(10)}
    files |= {f"pipelines/{name}": _SCHEDULE.format(name=name, of=of) for name, of in schedules.items()}
    _written(root, {**files, "environments/prod": _PROD.format(port=port)})
    return schedules


def committed(root: Path, message: str) -> None:
    """What is there by now becomes a commit; clusters and diffs want one."""
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.com", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", message)):
        subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True)


def _written(root: Path, files: dict[str, str]) -> Path:
    (root / "kfgit.yaml").write_text(_PROJECT, encoding="utf-8")
    for name, text in files.items():
        path = root / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return root


def _pipeline(name: str, component: str, uses: Iterator[tuple[str, str]]) -> str:
    lines = ["apiVersion: kfgit.dev/v1", "kind: Pipeline", f"metadata: {{name: {name}}}", "spec:", "  tasks:"]
    for task, inputs in uses:
        lines += [
            f"    {task}:",
            f"      component: {component}",
            *([f"      inputs: {inputs}"] if inputs else []),
        ]
    return "\n".join([*lines, ""])


def _part(number: int) -> str:
    return f"""\
apiVersion: kfgit.dev/v1
kind: Component
metadata:
  name: part-{number}
  description: The part of a larger work that has the number {number}.
  labels:
    team: benchmarks
    stage: stage-{number % 7}
spec:
  inputs:
    number:
      type: int
      default: {number}
      min: 0
      description: Where to begin.
    share:
      type: float
      default: 0.5
      description: How much of it.
    words:
      type: list<string>
      default:
        - first
        - second
        - third
  outputs:
    number:
      type: int
      description: Where to go on.
    table:
      type: Dataset
      description: What was made on the way.
  container:
    image: registry.example.com/parts/part-{number}:1.{number}.0
    command:
      - /opt/parts/run
      - --number
      - $(inputs.number)
      - --share
      - $(inputs.share)
      - --table
      - $(outputs.table.path)
      - --next
      - $(outputs.number.path)
    env:
      LEVEL: info
      STAGE: stage-{number % 7}
"""


def _work(number: int, tasks: int, parts: int) -> str:
    head = f"""\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata:
  name: work-{number}
  description: The work that has the number {number}.
spec:
  inputs:
    start:
      type: int
      default: {number}
  defaults:
    cache: true
    timeout: 30m
  tasks:
"""
    return head + "".join(_task(i, (number + i) % parts) for i in range(tasks))


def _task(number: int, part: int) -> str:
    begin = f"$(tasks.step-{number - 1}.outputs.number)" if number else "$(inputs.start)"
    return f"""\
    step-{number}:
      component: part-{part}
      inputs:
        number: {begin}
        share: 0.{number + 1}
      retry:
        max: 2
"""
