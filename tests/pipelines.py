"""Random pipelines, all of them valid: every kind of task, in each other, with every setting."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
# (reference without its end, type)
Made = list[tuple[str, str]]


def _document(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "kfgit.dev/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


COMPONENT = _document("Component", "c", {
    "inputs": {
        "text": {"type": "string", "default": "x", "description": "What is said."},
        "number": {"type": "int", "default": 1},
        "share": {"type": "float", "default": 0.5},
        "flag": {"type": "bool", "default": True},
        "table": {"type": "dict", "optional": True},
        "data": {"type": "Dataset", "optional": True},
        "texts": {"type": "list<string>", "default": []},
        "many": {"type": "list<Dataset>", "optional": True},
    },
    "outputs": {
        "said": {"type": "string"}, "count": {"type": "int"}, "data": {"type": "Dataset"}, "flag": {"type": "bool"},
        "share": {"type": "float", "description": "Of all."}, "words": {"type": "list<string>"},
        "table": {"type": "dict"},
    },
    "container": {"image": "c", "script": "echo $(inputs.text) $(run.id) > $(outputs.said.path)", "env": {"OWN": "1"}},
})  # fmt: skip
# The same interface in python, and once more with a command line of its own.
PYTHON = _document("Component", "py", {
    "python": {"function": "py", "packages": ["pandas"], "indexUrls": ["https://pypi.example/simple"], "source": """\
def py(
    text: str = "x", number: int = 1, share: float = 0.5, flag: bool = True, table: Optional[dict] = None,
    data: Optional[Input[Dataset]] = None, texts: List[str] = [], many: Input[List[Dataset]] = None,
) -> NamedTuple("Outputs", said=str, count=int, data=Dataset, flag=bool, share=float, words=List[str], table=dict):
    \"\"\"Says it.

    Args:
        text: What is said.
    \"\"\"
"""},
})  # fmt: skip
COMMAND = _document("Component", "command", {
    **{side: COMPONENT["spec"][side] for side in ("inputs", "outputs")},
    "container": {
        "image": "d",
        "command": ["run", {"concat": ["--text=", "$(inputs.text)"]}],
        "args": [
            {"if": {"present": "table", "then": ["--table", "$(inputs.table)"], "else": ["--no-table"]}},
            {"concat": ["--", {"if": {"present": "number", "then": ["$(inputs.number)"], "else": ["0"]}}, "!"]},
            "$(inputs.data.path)", "$(inputs.data.uri)", "$(inputs.many)", "$(outputs.data.path)",
        ],
    },
})  # fmt: skip
STATUS = _document("Component", "status", {
    "inputs": {"text": {"type": "string", "default": ""}, "status": {"type": "TaskFinalStatus"}},
    "container": {"image": "e", "script": "echo $(inputs.status) $(inputs.text)"},
})  # fmt: skip
INNER = _document("Pipeline", "inner", {
    "inputs": {"text": {"type": "string", "default": "y"}, "data": {"type": "Dataset", "optional": True}},
    "outputs": {
        "said": {"type": "string", "from": "$(tasks.c.outputs.said)"},
        "texts": {"type": "list<string>", "from": "$(tasks.l.c.outputs.said.*)", "description": "All of them."},
    },
    "tasks": {
        "c": {"component": "c", "inputs": {"text": "$(inputs.text)", "data": "$(inputs.data)"}},
        "l": {"forEach": ["a", "b"], "tasks": {"c": {"component": "c", "inputs": {"text": "$(item)"}}}},
    },
})  # fmt: skip
OUTER = _document("Pipeline", "outer", {
    "inputs": {"text": {"type": "string", "default": "o"}, "data": {"type": "Dataset", "optional": True}},
    "outputs": {
        "said": {"type": "string", "from": "$(tasks.which.outputs.said)"},
        "texts": {"type": "list<string>", "from": "$(tasks.inner.outputs.texts)"},
    },
    "defaults": {"cache": {"key": "outer"}, "retry": {"max": 1}},
    "tasks": {
        "inner": {"pipeline": "inner", "inputs": {"text": "<$(inputs.text)>", "data": "$(inputs.data)"}},
        "which": {"switch": [
            {"when": "$(tasks.inner.outputs.said) == 'a'", "tasks": {"one": {"component": "py"}},
             "outputs": {"said": "$(tasks.one.outputs.said)"}},
            {"tasks": {"two": {"pipeline": "inner"}}, "outputs": {"said": "$(tasks.two.outputs.said)"}},
        ]},
    },
})  # fmt: skip
ENDED = _document("Pipeline", "ended", {
    **INNER["spec"],
    "onExit": {
        "component": "status", "inputs": {"text": "$(inputs.text)", "status": "$(run.status)"}, "retry": {"max": 1},
    },
})  # fmt: skip
ENDED_DEEP = _document("Pipeline", "ended-deep", {
    "inputs": {"text": {"type": "string", "default": "d"}, "data": {"type": "Dataset", "optional": True}},
    "outputs": {
        "said": {"type": "string", "from": "$(tasks.ended.outputs.said)"},
        "texts": {"type": "list<string>", "from": "$(tasks.each.one.outputs.said.*)"},
    },
    "tasks": {
        "ended": {"pipeline": "ended", "inputs": {"text": "$(inputs.text)", "data": "$(inputs.data)"}},
        "each": {
            "forEach": ["a", "b"],
            "tasks": {"one": {"pipeline": "ended", "inputs": {"text": "$(item)"}, "after": ["ended"]}},
        },
        "some": {"pipeline": "ended", "when": "$(tasks.ended.outputs.said) == 'a'"},
    },
    "onExit": {"pipeline": "ended", "inputs": {"text": "$(inputs.text)"}},
})  # fmt: skip
PROFILES = (
    _document("ResourceProfile", "small", {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": 1}}),
    _document("ResourceProfile", "gpu", {
        "extends": "small", "accelerator": {"resource": "nvidia.com/gpu", "count": 2}, "sharedMemory": "1Gi",
        "node": {
            "selector": {"disk": "fast"},
            "affinity": [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}], "weight": 5}],
            "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60}],
        },
        "queue": {"localQueue": "team"}, "priority": {"class": "high"},
    }),
)  # fmt: skip
LIBRARY = (COMPONENT, PYTHON, COMMAND, STATUS, INNER, OUTER, ENDED, ENDED_DEEP, *PROFILES)

COMPONENTS = ("c", "py", "command")
# With the same interface; the last two have exit tasks.
PIPELINES = ("inner", "outer", "ended", "ended-deep")
OUTPUTS = {
    "said": "string", "count": "int", "data": "Dataset", "flag": "bool", "share": "float", "words": "list<string>",
    "table": "dict",
}  # fmt: skip
PORTS = {
    "string": "text", "int": "number", "float": "share", "bool": "flag", "dict": "table", "Dataset": "data",
    "list<string>": "texts", "list<Dataset>": "many",
}  # fmt: skip
COLLECTED = {"string": "list<string>", "Dataset": "list<Dataset>"}
PLAIN = {"string", "int", "float", "bool"}
# Some of them are names that compilers make up.
WORDS = ("a", "for-loop", "condition", "a-2", "exit-handler", "loop-item-param", "condition-branches")

EVERY_TASK: Mapping[str, tuple[Any, ...]] = {
    "cache": (True, False, {"key": "k é"}),
    "retry": ({"max": 0}, {"max": 2}, {"max": 3, "backoff": "5s", "factor": 1.5, "maxDuration": "1h"}),
    "displayName": ('Shown: é "quoted"',),
}
NESTED_TASK: Mapping[str, tuple[Any, ...]] = {
    **EVERY_TASK,
    "cache": (True, False),
    "ignoreUpstreamFailure": (True,),
}
COMPONENT_TASK: Mapping[str, tuple[Any, ...]] = {
    **EVERY_TASK,
    "timeout": ("90s", "1h30m"),
    "profile": ("small", "gpu"),
    "resources": (
        {"requests": {"cpu": "500m"}, "limits": {"memory": "3Gi"}},
        {"limits": {"cpu": 2}, "accelerator": {"resource": "amd.com/gpu"}},
    ),
    "env": (
        {"A": "$HOME $$(A) é", "B": ""},
        {"A": {"secret": "s", "key": "k"}, "B": {"secret": "s", "key": "l", "optional": True}},
        {"A": {"configMap": "m", "key": "k"}, "POD": {"fieldPath": "metadata.name"}},
    ),
    "ignoreUpstreamFailure": (True,),
    "kubernetes": (
        {"secrets": [{"name": "s", "env": {"T": "t"}, "mountPath": "/s"}], "imagePullSecrets": ["r"]},
        {"configMaps": [{"name": "m", "mountPath": "/m", "optional": True}], "imagePullPolicy": "Always"},
        {"pvcs": [{"name": "$(inputs.word)", "mountPath": "/data", "subPath": "x"}], "podLabels": {"team": "a"}},
        {"ephemeralVolumes": [{"name": "e", "mountPath": "/e", "accessModes": ["ReadWriteOnce"], "size": "1Gi"}]},
        {"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 30}]},
        {"nodeSelector": {"d": "f"}, "podAnnotations": {"a": "b"}},
        {"securityContext": {"runAsUser": 1000, "runAsNonRoot": True}, "fieldPaths": {"N": "spec.nodeName"}},
    ),
}  # fmt: skip
DEFAULTS = {key: COMPONENT_TASK[key] for key in ("cache", "retry", "timeout", "profile", "resources", "env")}
LOOP: Mapping[str, tuple[Any, ...]] = {"displayName": ("Each",), "parallelism": (1, 2)}
PIPELINE: Mapping[str, tuple[Any, ...]] = {
    "displayName": ("All é",),
    "pipelineRoot": ("s3://bucket/root",),
    "ttl": ({"finished": "1d"}, {"success": "1h", "failure": "2d"}),
    "activeDeadline": ("1h",),
}


@dataclass(slots=True)
class Author:
    """Writes one pipeline. `draw` decides; what is written is valid."""

    draw: Callable[[st.SearchStrategy[Any]], Any]
    used: set[str] = field(default_factory=set)

    def choose(self, *options: Any) -> Any:
        return self.draw(st.sampled_from(options))

    def maybe(self) -> bool:
        return bool(self.draw(st.booleans()))

    def some(self, table: Mapping[str, tuple[Any, ...]], most: int) -> Json:
        keys = self.draw(st.lists(st.sampled_from(sorted(table)), unique=True, max_size=most))
        return {key: self.choose(*table[key]) for key in keys}

    def name(self) -> str:
        """A name that no task has, so that none hides another."""
        wanted = self.choose(*WORDS)
        number = 1
        while f"{wanted}-{number}" in self.used:
            number += 1
        self.used.add(f"{wanted}-{number}")
        return f"{wanted}-{number}"

    def scope(self, depth: int, around: Made, names: list[str]) -> tuple[Json, Made]:
        """Tasks, and what they give to each other."""
        tasks: Json = {}
        made: Made = []
        for _ in range(self.draw(st.integers(1, 4))):
            name = self.name()
            seen = [*around, *made]
            task, outputs = self.task(name, depth, seen, [*names, *tasks])
            if self.maybe() and self.maybe():
                task["when"] = self.condition(seen)
            if tasks and self.maybe():
                task["after"] = [self.choose(*names, *tasks)]
            tasks[name] = task
            made += outputs
        return tasks, made

    def task(self, name: str, depth: int, seen: Made, names: list[str]) -> tuple[Json, Made]:
        groups = ["loop", "switch"] if depth else []
        kinds = ["component", "component", "pipeline", "import", "claim", *groups]
        match self.choose(*kinds):
            case "loop":
                return self.loop(name, depth, seen, names)
            case "switch":
                return self.switch(name, depth, seen, names)
            case "pipeline":
                inputs = {"text": "z", **self.inputs(seen, ("text", "data"))}
                task = {
                    "pipeline": self.choose(*PIPELINES),
                    "inputs": inputs,
                    **self.some(NESTED_TASK, 1),
                }
                return task, [
                    (f"tasks.{name}.outputs.said", "string"),
                    (f"tasks.{name}.outputs.texts", "list<string>"),
                ]
            case "import":
                return self.importing(seen), [(f"tasks.{name}.outputs.artifact", "Dataset")]
            case "claim":
                return self.claim(name, seen)
            case _:
                made = [(f"tasks.{name}.outputs.{output}", type_) for output, type_ in OUTPUTS.items()]
                inputs = self.inputs(seen, tuple(PORTS.values()))
                task = {
                    "component": self.choose(*COMPONENTS),
                    "inputs": inputs,
                    **self.some(COMPONENT_TASK, 3),
                }
                if self.maybe():
                    task["kubernetes"] = self.kubernetes(seen)
                    task.pop("ignoreUpstreamFailure", None)  # what it reads there has no default
                return task, made

    def kubernetes(self, seen: Made) -> Json:
        """A block with values that only the run knows. The driver selects no fields of items."""
        whole = [(ref, type_) for ref, type_ in seen if not re.search(r"\.item\.", ref)]
        name = self.choose("constant", *(f"$({ref})" for ref, type_ in whole if type_ == "string"))
        tables = [f"$({ref})" for ref, type_ in whole if type_ == "dict"]
        blocks: list[Json] = [
            {"secrets": [{"name": name, "env": {"DYNAMIC": "key"}, "mountPath": "/dynamic"}]},
            {"configMaps": [{"name": name, "mountPath": "/dynamic"}], "imagePullSecrets": [name, "other"]},
            {
                "pvcs": [
                    {"name": name, "mountPath": "/dynamic"},
                    {"name": "constant", "mountPath": "/constant"},
                ]
            },
        ]
        if tables:
            table = self.choose(*tables)
            blocks += [
                {"nodeSelector": table, "tolerations": table},
                {"nodeAffinity": [table], "tolerations": [table]},
            ]
        return dict(self.choose(*blocks))

    def claim(self, name: str, seen: Made) -> tuple[Json, Made]:
        """A task that makes a claim, or deletes one."""
        if self.maybe():
            claim = {
                "accessModes": ["ReadWriteOnce"],
                "size": "1Gi",
                "nameSuffix": self.choose("-a", "-$(run.id)"),
            }
            return {"createPvc": claim, **self.some(EVERY_TASK, 1)}, [
                (f"tasks.{name}.outputs.name", "string")
            ]
        strings = [f"$({ref})" for ref, type_ in seen if type_ == "string"]
        return {"deletePvc": {"name": self.choose("constant", *strings)}, "cache": False}, []

    def importing(self, seen: Made) -> Json:
        task: Json = {"import": {"uri": self.text(seen), "type": "Dataset"}, **self.some(EVERY_TASK, 1)}
        if self.maybe():
            task["import"]["metadata"] = {"of": self.text(seen), "rows": [1, {"is": True}]}
        if self.maybe():
            task["import"]["reimport"] = True
        return task

    def inputs(self, seen: Made, ports: tuple[str, ...]) -> Json:
        found: Json = {}
        for port in ports:
            fitting = [ref for ref, type_ in seen if PORTS.get(type_) == port]
            if fitting and self.maybe():
                found[port] = f"$({self.choose(*fitting)})"
            elif port == "text" and self.maybe():
                found[port] = self.text(seen)
            elif port == "texts" and self.maybe():
                found[port] = [self.text(seen), "plain"]
            elif port == "table" and self.maybe():
                found[port] = {"a": self.text(seen), "b": {"c": [1, True, 0.5]}}
        return found

    def text(self, seen: Made) -> str:
        fitting = [ref for ref, type_ in seen if type_ in PLAIN]
        refs = self.draw(st.lists(st.sampled_from([*fitting, "run.id", "workspace.path"]), max_size=3))
        return "gs://" + "/".join(f"$({ref})" for ref in refs)

    def condition(self, seen: Made) -> str:
        parts = []
        for _ in range(self.draw(st.integers(1, 2))):
            known = [*seen, ("run.name", "string"), ("workspace.path", "string")]
            ref, type_ = self.choose(*((r, t) for r, t in known if t in PLAIN))
            match type_:
                case "string":
                    parts.append(self.choose(f"$({ref}) == 'it\\'s'", f"$({ref}) in ['a', 'b']"))
                case "bool":
                    parts.append(self.choose(f"$({ref})", f"not $({ref})", f"$({ref}) != true"))
                case _:
                    parts.append(self.choose(f"$({ref}) > 2", f"$({ref}) <= 0.5", f"!($({ref}) == -1)"))
        return str(self.choose(" and ", " or ")).join(parts)

    def loop(self, name: str, depth: int, seen: Made, names: list[str]) -> tuple[Json, Made]:
        lists = [(f"$({ref})", "string") for ref, type_ in seen if type_ == "list<string>"]
        artifacts = [(f"$({ref})", "Dataset") for ref, type_ in seen if type_ == "list<Dataset>"]
        fields = [([{"text": "a", "number": 1}], "dict")]
        literals = [(["a", "b"], "string"), ([1, 2], "int"), ([0.5, 1], "float"), ([True], "bool")]
        items, type_ = self.choose(*literals, *fields, *lists, *artifacts)
        item = [(f"loops.{name}.item", type_)] if type_ != "dict" else [
            (f"loops.{name}.item.text", "string"), (f"loops.{name}.item.number", "int"),
        ]  # fmt: skip
        tasks, made = self.scope(depth - 1, [*seen, *item], [*names])
        collected = []
        for ref, inner in made:
            path, output = ref.removeprefix("tasks.").split(".outputs.")
            plain = output.removesuffix(".*")
            if inner in COLLECTED:
                collected.append((f"tasks.{name}.{path}.outputs.{plain}.*", COLLECTED[inner]))
        task: Json = {
            "forEach": items,
            "tasks": tasks,
            **self.some({"displayName": ("Each",), "parallelism": (1, 2)}, 1),
        }
        return task, collected

    def switch(self, name: str, depth: int, seen: Made, names: list[str]) -> tuple[Json, Made]:
        branches: list[Json] = []
        given: list[Made] = []
        for _ in range(self.draw(st.integers(1, 3))):
            tasks, made = self.scope(depth - 1, seen, names)
            branches.append({"when": self.condition(seen), "tasks": tasks})
            given.append([(ref, type_) for ref, type_ in made if type_ in {"string", "Dataset"}])
        if len(branches) == 1 or self.maybe():
            return {"switch": branches}, []
        del branches[-1]["when"]
        outputs = []
        for output, type_ in (("said", "string"), ("data", "Dataset")):
            choices = [[ref for ref, t in made if t == type_] for made in given]
            if all(choices):
                for branch, refs in zip(branches, choices, strict=True):
                    branch.setdefault("outputs", {})[output] = f"$({self.choose(*refs)})"
                outputs.append((f"tasks.{name}.outputs.{output}", type_))
        return {"switch": branches}, outputs

    def exit_task(self) -> Json:
        text = {"text": "$(inputs.word) $(run.id)"}
        settings = self.some(COMPONENT_TASK, 2)
        settings.pop("ignoreUpstreamFailure", None)
        return dict(self.choose(
            {"component": "c", "inputs": text, **settings},
            {"component": "status", "inputs": {**text, "status": "$(run.status)"}, **settings},
            {"pipeline": self.choose(*PIPELINES), "inputs": text},
        ))  # fmt: skip

    def pipeline(self) -> Json:
        inputs: Json = {
            "word": {"type": "string"},
            "n": {"type": "int", "default": 1, "description": "How many."},
            "words": {"type": "list<string>"},
            "table": {"type": "dict", "default": {"a": [1, {"b": 0.5}]}},
        }
        seen = [(f"inputs.{name}", str(port["type"])) for name, port in inputs.items()]
        tasks, made = self.scope(3, seen, [])
        spec: Json = {
            "inputs": inputs,
            "tasks": tasks,
            "workspace": {"size": "1Gi"},
            **self.some(PIPELINE, 2),
        }
        if self.maybe():
            spec["defaults"] = self.some(DEFAULTS, 3)
        if made:
            chosen = self.draw(st.lists(st.sampled_from(made), max_size=3, unique=True))
            spec["outputs"] = {
                f"o{n}": {"type": type_, "from": f"$({ref})"} for n, (ref, type_) in enumerate(chosen)
            }
        if self.maybe():
            spec["onExit"] = self.exit_task()
        return _document("Pipeline", "p", spec)


@st.composite
def pipelines(draw: st.DrawFn) -> Json:
    """A pipeline `p` that uses the documents of LIBRARY; its required inputs are `word` and `words`."""
    return Author(draw).pipeline()
