"""Repositories that are nearly right: files of the examples, of the cases and of KFP, changed by chance.

A seed says it all, so a failure is repeated by its number. What is changed: bytes, lines, tokens, keys, values, and
whole parts that come from elsewhere.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared/conformance/kfp-ir"

PROJECT = """apiVersion: kfgit.dev/v1
kind: Project
metadata: {name: fuzz}
spec: {vars: {a: 1, b: text, c: [1, 2], d: {e: 0.5}}}
"""
ENVIRONMENT = """apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: dev}
spec: {mode: development, vars: {a: 2}}
"""
WRAPPER = """apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: wrapped}
spec: {package: package.yaml}
"""
USER = """apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: uses}
spec: {tasks: {t: {component: code}, u: {component: code, after: [t]}}}
"""

CLUSTER = """apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  target: {type: cluster, namespace: ml, kfp: {endpoint: https://kfp.example.com}}
  profiles: {gpu: slice, queued: team}
  policies: {maxGpusPerRun: 2, budgetPerMonth: 10}
"""
PROFILES = """apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: base, description: For all.}
spec:
  requests: {cpu: 500m, memory: 1Gi}
  limits: {cpu: "2", memory: 16Gi}
  sharedMemory: 2Gi
  limitRange: {min: {cpu: 10m}, defaultRequest: {cpu: 100m}, default: {memory: 1Gi}, max: {cpu: "8", memory: 64Gi}}
  node:
    selector: {nvidia.com/gpu.product: NVIDIA-A100-SXM4-80GB, pool: gpu}
    affinity:
    - matchExpressions: [{key: zone, operator: In, values: [a, b]}, {key: spot, operator: DoesNotExist}]
    - {weight: 5, matchExpressions: [{key: age, operator: Lt, values: ["9"]}]}
    tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}, {key: pool, value: gpu}]
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: slice}
spec:
  extends: base
  accelerator: {resource: nvidia.com/mig-1g.10gb, count: 1, model: NVIDIA-A100-SXM4-80GB}
  quota: {nvidia.com/mig-1g.10gb: 3, cpu: 20, memory: 200Gi}
  cost: {perHour: 0.41, currency: EUR}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: team}
spec:
  extends: base
  accelerator: {resource: nvidia.com/gpu, count: 2}
  queue:
    localQueue: team
    clusterQueue: gpu
    flavor: a100
    cohort: all
    borrowingLimit: {nvidia.com/gpu: 4}
    lendingLimit: {nvidia.com/gpu: 1}
    strategy: StrictFIFO
    preemption: {withinClusterQueue: LowerPriority}
  priority: {class: high, value: 100}
  quota: {nvidia.com/gpu: 8, cpu: 64, memory: 256Gi}
---
apiVersion: kfgit.dev/v1
kind: ResourceProfile
metadata: {name: claimed}
spec:
  deviceClass: {name: gpu.example.com, selectors: ["device.driver == 'a'"], extendedResourceName: example.com/gpu}
  claim: {name: one, deviceClass: gpu.example.com, count: 1, selectors: ['true']}
---
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: uses-profiles}
spec:
  defaults: {profile: base, resources: {limits: {memory: 8Gi}}}
  tasks:
    a: {component: make, profile: gpu, resources: {accelerator: {count: 2}}}
    b: {component: make, profile: queued, after: [a], kubernetes: {nodeSelector: {pool: cpu}}}
    c: {forEach: [1, 2, 3], parallelism: 2, tasks: {d: {component: make, profile: gpu}}}
---
apiVersion: kfgit.dev/v1
kind: Schedule
metadata: {name: often}
spec: {pipeline: uses-profiles, cron: "*/5 * * * *", maxConcurrency: 3}
"""

ODD = (
    "null", "true", "~", "0", "-1", "1.5", "1e999", "0x1F", "012", "no", "''", '""', "[]", "{}", "[[]]", "{a: {}}",
    "[null]", "*a", "&a [*a]", "<<: {a: 1}", "!!python/object:os.system x", "$(item)", "$(inputs.x)", "$(",
    "$(tasks.a.outputs.b.*)", '"{{ vars.x }}"', '"{{ vars.a }}"', "{{ vars.a }}", '"{{"', "'{{ vars.c|join(vars.b) }}'",
    '"{% if 1 %}x{% endif %}"', "|", ">-", "99999999999999999999999999", ".inf", ".nan", "2026-02-30", "1:30", "é",
    "\u202e", "\u2028", "\x85", "\ufeff", "\x00", "\x1b[31m", "\ud7ff", "😀", "a: b: c", "- - -", "? x", "---", "...",
    "%YAML 1.2", "\t", "\r", "# x", "x" * 300, "0 0 30 2 *", "99999h", "../../etc/passwd", "/dev/zero", "sha256:0",
    "4Gi", "1e400", "9E", "1.5Gi", "-1m", "32gb", "-5", "1e-4", "yes", "²", "٣", "\\", "'", '"',
)  # fmt: skip
_TOKEN = re.compile(r"[\w./$-]+|\s+|[^\w\s]")
_VALUE = re.compile(r"(?<=: )[^\n{\[|>#]+|(?<=- )[^\n{\[|>#]+|(?<=[,\[] )[^\n,\]}]+")
_KEY = re.compile(r"[A-Za-z_]\w*(?=:)")


@dataclass(frozen=True, slots=True)
class Corpus:
    """Texts to begin with, and where each is put in the repository."""

    texts: tuple[tuple[str, str], ...]
    words: tuple[str, ...]


@lru_cache(maxsize=1)
def corpus() -> Corpus:
    """All that there is; what KFP itself compiled is there only beside a checkout that has it."""
    places = [
        ("pipelines/case.yaml", sorted((ROOT / "tests/cases").rglob("*.yaml"))),
        ("pipelines/case.yaml", sorted((ROOT / "pipelines").rglob("*.yaml"))),
        ("components/case.yaml", sorted((ROOT / "components").rglob("*.yaml"))),
        ("environments/dev/case.yaml", sorted((ROOT / "environments").glob("*/*.yaml"))),
        ("pipelines/case.yaml", sorted((ROOT / "tests/sdk/pairs").rglob("*.yaml"))),
        ("pipelines/package.yaml", sorted(SHARED.rglob("*.yaml"))),
        ("components/code.py", sorted((ROOT / "components").rglob("*.py"))),
        ("components/page.ipynb", sorted((ROOT / "tests").rglob("*.ipynb"))),
        ("pipelines/case.yaml.j2", sorted((ROOT / "pipelines").glob("*.yaml"))),
        ("environments/dev.yaml", sorted((ROOT / "environments").glob("*.yaml"))),
        ("kfgit.yaml", [ROOT / "kfgit.yaml"]),
    ]
    texts = tuple(
        (place, text)
        for place, files in places
        for path in files
        if len(text := path.read_text(encoding="utf-8")) < 30_000
    )
    texts += (("pipelines/case.yaml", PROFILES),) * (len(texts) // 8)
    words = sorted({word for _, text in texts for word in _KEY.findall(text)})
    return Corpus(texts, tuple(words))


def repository(seed: int) -> Mapping[str, bytes]:
    """The files of one repository."""
    chance = random.Random(seed)
    found = corpus()
    place, text = chance.choice(found.texts)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        text = chance.choice(_CHANGES)(chance, text, found)
    content = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.1:
        content = _bytes(chance, content)
    files = {
        "kfgit.yaml": PROJECT.encode(),
        "environments/dev.yaml": ENVIRONMENT.encode(),
        "environments/prod.yaml": CLUSTER.encode(),
        place: content,
    }
    if chance.random() < 0.5:
        files["components/library.yaml"] = (ROOT / "tests/cases/library.yaml").read_bytes()
    if place == "pipelines/package.yaml":
        files["pipelines/wrapper.yaml"] = WRAPPER.encode()
    if place == "components/page.ipynb":
        files["components/page.yaml"] = f"{HEAD}spec: {{notebook: {{file: page.ipynb}}}}\n".encode()
        files["pipelines/uses.yaml"] = USER.encode()
    if place == "components/code.py":
        files["pipelines/uses.yaml"] = USER.encode()
        name = re.search(r"^def (\w+)", text, re.MULTILINE)
        files["components/code.yaml"] = _component(name.group(1) if name else "f").encode()
    return files


HEAD = "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: code}\n"


def _component(function: str) -> str:
    return f"{HEAD}spec: {{python: {{file: code.py, function: {function}}}}}\n"


def _bytes(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content or b" ")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(changed))
        match chance.randrange(3):
            case 0:
                changed[at] = chance.randrange(256)
            case 1:
                changed.insert(at, chance.randrange(256))
            case _:
                del changed[at : at + chance.randint(1, 9)]
                changed = changed or bytearray(b" ")
    return bytes(changed)


def _characters(chance: random.Random, text: str, _: Corpus) -> str:
    at = chance.randint(0, len(text))
    return text[:at] + chance.choice(ODD) + text[at + chance.choice((0, 0, 1, 1, 5)) :]


def _lines(chance: random.Random, text: str, _: Corpus) -> str:
    lines = text.split("\n")
    one, other = chance.randrange(len(lines)), chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            lines[one], lines[other] = lines[other], lines[one]
        case 1:
            lines.insert(other, lines[one])
        case 2:
            del lines[one]
        case 3:
            lines[one] = " " * chance.randint(0, 6) + lines[one].lstrip()
        case _:
            lines[one:other] = []
    return "\n".join(lines)


def _tokens(chance: random.Random, text: str, found: Corpus) -> str:
    tokens, others = _TOKEN.findall(text), _TOKEN.findall(chance.choice(found.texts)[1])
    if not tokens or not others:
        return text
    at, start = chance.randrange(len(tokens)), chance.randrange(len(others))
    length = chance.choice((1, 1, 2, 5, 20, 80))
    tokens[at : at + chance.choice((0, 1, length))] = others[start : start + length]
    return "".join(tokens)


def _values(chance: random.Random, text: str, found: Corpus) -> str:
    places = list(_VALUE.finditer(text))
    if not places:
        return text
    place = chance.choice(places)
    other = chance.choice((*ODD, *(match.group() for match in places), chance.choice(found.words)))
    return text[: place.start()] + other + text[place.end() :]


def _keys(chance: random.Random, text: str, found: Corpus) -> str:
    places = list(_KEY.finditer(text))
    if not places:
        return text
    place = chance.choice(places)
    other = chance.choice(
        (chance.choice(found.words), chance.choice(places).group(), f"{place.group()}x", place.group()[1:])
    )
    return text[: place.start()] + other + text[place.end() :]


def _parts(chance: random.Random, text: str, found: Corpus) -> str:
    """Some lines of another text, as deep as they are or as the place is."""
    lines, others = text.split("\n"), chance.choice(found.texts)[1].split("\n")
    at, start = chance.randrange(len(lines)), chance.randrange(len(others))
    part = others[start : start + chance.choice((1, 3, 10))]
    depth = len(lines[at]) - len(lines[at].lstrip(" "))
    if chance.random() < 0.6:
        least = min((len(line) - len(line.lstrip(" ")) for line in part if line.strip()), default=0)
        part = [" " * depth + line[least:] for line in part]
    return "\n".join([*lines[:at], *part, *lines[at:]])


def _cut(chance: random.Random, text: str, _: Corpus) -> str:
    return text[: chance.randint(0, len(text))]


def _joined(chance: random.Random, text: str, found: Corpus) -> str:
    return f"{text}\n---\n{chance.choice(found.texts)[1]}"


_CHANGES = (
    _characters,
    _lines,
    _tokens,
    _tokens,
    _values,
    _values,
    _values,
    _keys,
    _keys,
    _parts,
    _cut,
    _joined,
)
