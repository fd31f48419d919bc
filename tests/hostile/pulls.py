"""Pull requests made to hurt: what a stranger can put into a commit, on top of a repository that is sound."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from tests.hostile.repositories import (
    CONDITIONS,
    DEV,
    FILES,
    MAKE,
    MIB,
    PROJECT,
    TEMPLATES,
    documents,
    link,
    pipeline,
    texts,
    with_git,
    with_tasks,
    with_value,
)
from tests.project.repository import Git

Content: TypeAlias = bytes | str | Callable[[Path], object] | None
Files: TypeAlias = Mapping[str, Content]

# What no file, no output and no log may ever have: it lies beside the repository.
SECRET = "TOPSECRET-7f3a"
TOUCH = "touch PWNED"
EVIL = [
    f"$({TOUCH})", f"`{TOUCH}`", f"; {TOUCH}", f"\n{TOUCH}\n", f"' ; {TOUCH} ; '", f'" ; {TOUCH} ; "', f"| {TOUCH}",
    "::set-output name=environments::[1]", "::stop-commands::x", "##[set-output name=environments;]x", "##[add-mask]a",
    "</details>", "</summary>", "<!-- kfgit:diff -->", "-->", "<img src=x onerror=alert(1)>", "<script>x</script>",
    "@acme/team", "#1", "![x](https://evil.example/x.png)", "[x](javascript:x)", "https://evil.example", "```", "````\n",
    "~~~", "|", "\\|", "`", "${{ secrets.KFP_TOKEN }}", "${{ github.token }}", "%0A::error::x", "\x1b[31m\x1b]0;x\x07",
    "\u202e\u2066x", "\u2028::error::x", "\r::error::x", "--help", "-C/", "../../../PWNED", "{{ 7 * 7 }}", "$$x$$", "\x00".replace("\x00", "�"),
]  # fmt: skip

CLUSTER = """apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec: {target: {type: cluster, namespace: ml}, git: {branch: main}}
"""
BASE: Files = {
    "kfgit.yaml": PROJECT,
    "components/make.yaml": MAKE,
    "environments/dev.yaml": DEV,
    "environments/prod.yaml": CLUSTER,
    "pipelines/p.yaml": pipeline(
        "  inputs: {x: {type: string, default: a}}\n  tasks: {t: {component: make}}\n"
    ),
}


def quoted(text: str) -> str:
    """A text as YAML writes it."""
    return json.dumps(text, ensure_ascii=True)


def evil_values() -> Files:
    """A sound pipeline, all whose texts are hostile."""
    ports = "".join(
        f"    x{n}: {{type: string, default: {quoted(v)}, description: {quoted(v)}}}\n"
        for n, v in enumerate(EVIL)
    )
    tasks = "".join(
        f"    t{n}: {{component: make, inputs: {{x: {quoted(v.replace('{{', ''))}}}}}\n"
        for n, v in enumerate(EVIL)
    )
    labels = ", ".join(f"{quoted(v)}: {quoted(v)}" for v in EVIL if "{{" not in v)
    head = f"apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {{name: p, description: {quoted(EVIL[0] + EVIL[20])}, annotations: {{{labels}}}}}\n"
    return {"pipelines/p.yaml": f"{head}spec:\n  inputs:\n{ports.replace('{{ 7', '{ 7')}  tasks:\n{tasks}"}


def evil_names() -> Files:
    """Every name that a document has is hostile: of itself, of tasks, inputs, keys and what is referred to."""
    found = [
        f"--- {{apiVersion: kfgit.dev/v1, kind: Pipeline, metadata: {{name: {quoted(v)}}}, spec: {{tasks: {{{quoted(v)}: {{component: {quoted(v)}, "
        f"after: [{quoted(v)}], inputs: {{{quoted(v)}: 1}}, {quoted(v + 'x')}: 1}}}}}}}}\n"
        for v in EVIL
    ]
    return {"pipelines/evil.yaml": "".join(found), "environments/evil.yaml": _environments(EVIL)}


def evil_profiles() -> tuple[Files, Files]:
    """Profiles that come to mean something with a hostile model, and the tasks that have them."""
    texts_ = [text for text in EVIL if "{{" not in text]
    tasks = "".join(f"    t{n}: {{component: make, profile: e{n}}}\n" for n in range(len(texts_)))
    profile = (
        "--- {{apiVersion: kfgit.dev/v1, kind: ResourceProfile, metadata: {{name: e{0}, description: {1}}}, spec: "
        "{{accelerator: {{resource: nvidia.com/gpu, count: {2}, model: {1}}}, cost: {{perHour: 1.5}}}}}}\n"
    )
    before = "".join(profile.format(n, "A100", 1) for n in range(len(texts_)))
    after = "".join(profile.format(n, quoted(text), 2) for n, text in enumerate(texts_))
    used = pipeline(f"  tasks:\n{tasks}", "uses")
    return (
        {"pipelines/profiles.yaml": before, "pipelines/uses.yaml": used},
        {"pipelines/profiles.yaml": after},
    )


def _environments(names: list[str]) -> str:
    head = "--- {{apiVersion: kfgit.dev/v1, kind: Environment, metadata: {{name: {0}}}, spec: {{git: {{branch: {0}}}, vars: {{{0}: {0}}}}}}}\n"
    return "".join(head.format(quoted(name)) for name in names)


def evil_files() -> Files:
    """Files whose names are hostile; those that git or a file system cannot hold are left out."""
    names = [name.replace("/", "∕") for name in EVIL if name != "--help"]
    broken: dict[str, Content] = {f"pipelines/{name[:80]}.yaml": f"kind: [{quoted(name)}\n" for name in names}
    sound = {
        f"pipelines/{name[:80]}/s.yaml": f"--- {pipeline('  tasks: {t: {component: make}}', f's{n}')}"
        for n, name in enumerate(names)
    }
    return {**broken, **sound}


def _python(source: str) -> Files:
    spec = "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: c}\nspec:\n  python: {file: f.py, function: f}\n"
    return {
        "components/c.yaml": spec,
        "components/f.py": source,
        "pipelines/x.yaml": pipeline("  tasks: {t: {component: c}}\n", "x"),
    }


RUN = f"import os\nos.system({TOUCH!r})\nopen('PWNED', 'w')\n"


def _outside(path: Path) -> str:
    """The way from a file of the repository to what lies beside that."""
    return "../" * (len(path.parts) - 1) + "../secret.yaml"


def out(path: str) -> Callable[[Path], object]:
    return link(_outside(Path(path)))


LINKS: Files = {
    **{path: out(path) for path in ("pipelines/s.yaml", "pipelines/s.yaml.j2", "environments/s.yaml", "components/f.py", "components/n.ipynb")},
    "pipelines/folder": link("../.."), "components/etc": link("/etc"), "pipelines/passwd.yaml": link("/etc/passwd"),
    "pipelines/environ.yaml": link("/proc/self/environ"), "pipelines/git.yaml": link("../.git/config"), "pipelines/self.yaml": link("self.yaml"),
    "components/c.yaml": "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: c}\nspec: {python: {file: f.py, function: f}}\n",
    "components/d.yaml": "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: d}\nspec: {python: {file: ../../secret.yaml, function: f}}\n",
    "components/n.yaml": "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: n}\nspec: {notebook: {file: n.ipynb}}\n",
    "pipelines/k.yaml": "apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {name: k}\nspec: {package: {file: ../../secret.yaml}}\n",
}  # fmt: skip

GIT: Files = {
    ".gitattributes": "* filter=evil diff=evil merge=evil\n*.yaml export-subst ident text eol=crlf\n",
    ".gitmodules": f'[submodule "x"]\n\tpath = components/sub\n\turl = ext::sh -c {TOUCH.replace(" ", "% ")}\n\tupdate = !{TOUCH}\n',
    ".gitconfig": f"[alias]\n\tlog = !{TOUCH}\n[core]\n\tfsmonitor = {TOUCH}\n",
    "pipelines/g.yaml": with_git({})["pipelines/g.yaml"],
}

PINS: dict[str, str] = {
    "option": "--output=PWNED", "upload": f"--upload-pack={TOUCH}", "shell": f"$({TOUCH})", "range": "HEAD..HEAD", "path": "HEAD:kfgit.yaml",
    "search": "HEAD^{/(a+)+$}", "reflog": "@{-1}", "nul": "a\\0b", "missing": "f" * 40, "short": "0000000", "tag": "refs/tags/x",
}  # fmt: skip


def pinned(commit: str) -> str:
    return f'apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {{name: dev}}\nspec: {{pin: {{commit: "{commit}"}}}}\n'


def with_rule(condition: str) -> Files:
    """A rule of the repository's own, in CEL."""
    rule = (
        f"{{name: r, kinds: [Pipeline], require: {quoted(condition)}, message: {quoted('no ' + EVIL[11])}}}"
    )
    return {"kfgit.yaml": f"{PROJECT}spec: {{policies: {{rules: [{rule}]}}}}\n"}


_LIST = "[" + ",".join("0123456789") + "]"
RULES = {
    "loops": "true || " + "".join(f"{_LIST}.all(a{n}, " for n in range(9)) + "false" + ")" * 9,
    "loops-that-run": "".join(f"{_LIST}.all(a{n}, " for n in range(9)) + "true" + ")" * 9,
    "text": "resource.metadata.name.matches('(a+)+$')",
    "sum": " + ".join(["'" + "x" * 3_000 + "'"] * 300) + " == ''",
    "deep": CONDITIONS["parentheses"],
}


def large() -> Files:
    """Sound pipelines with more than 5 MB of values."""
    ports = "".join(f"    i{n}: {{type: string, default: {quoted('é<@|`' * 900)}}}\n" for n in range(100))
    spec = f"  inputs:\n{ports}  tasks: {{t: {{component: make}}}}\n"
    return {f"pipelines/l{n}.yaml": pipeline(spec, f"l{n}") for n in range(6)}


def giant(value: str) -> Files:
    """Ten thousand schedules that are sound."""
    spec = f"pipeline: p, cron: '0 2 * * *', inputs: {{x: {value}}}"
    return {
        f"pipelines/many{n}.yaml": documents("Schedule", 1_000, spec).replace("name: x", f"name: x{n}-")
        for n in range(10)
    }


PULLS: Mapping[str, tuple[Files, Files]] = {
    "values": ({}, evil_values()),
    "names": ({}, evil_names()),
    "files": ({}, evil_files()),
    "links": ({}, LINKS),
    "project-link": ({}, {"kfgit.yaml": out("kfgit.yaml")}),
    "git": ({}, GIT),
    "python": ({}, _python(f"{RUN}def f(x: str = os.system({TOUCH!r})) -> str:\n    return x\n")),
    "environment": ({}, {"environments/evil.yaml": _environments(["evil"]) + CLUSTER.replace("prod", "$(touch PWNED)")}),
    **{f"pin-{name}": ({}, {"environments/dev.yaml": pinned(text)}) for name, text in PINS.items()},
    **{f"rule-{name}": ({}, with_rule(text)) for name, text in RULES.items()},
    **{f"template-{n}": ({}, with_value("'" + TEMPLATES[n].replace("'", "''") + "'")) for n in ("globals", "include", "replace", "power", "macro")},
    **{f"file-{n}": ({}, {"pipelines/x.yaml.j2": FILES[n]}) for n in ("loops", "texts", "huge", "counted")},
    **{f"yaml-{n}": ({}, {"pipelines/x.yaml": t}) for n, t in texts(2 * MIB - 3000) if n in {"anchors", "merges", "keys", "tags", "nested"}},
    "added": ({}, giant("b")),
    "removed": (giant("b"), dict.fromkeys(giant(""))),
    "changed": (giant("b"), giant("c")),
    "large": ({}, large()),
    "tasks": ({}, {"pipelines/p.yaml": with_tasks(3_000, "    t%: {component: make}\n")["pipelines/p.yaml"]}),
    "mistakes": ({}, {"pipelines/many.yaml": documents("Schedule", 9_000, "pipeline: nope%, cron: x")}),
    "variables": ({}, {"environments/dev.yaml": DEV.replace("aaa", "bbb").replace("x" * 9, "y" * 9)}),
    "emptied": ({}, dict.fromkeys(BASE)),
    "broken-base": ({"pipelines/p.yaml": "kind: [</details>@acme/team"}, {"pipelines/p.yaml": BASE["pipelines/p.yaml"]}),
    "profiles": evil_profiles(),
    "other-project": ({}, {"kfgit.yaml": PROJECT.replace("name: p", f"name: {quoted(EVIL[0])}")}),
}  # fmt: skip

# Those that are about what is said of them, in every format.
SAYING = frozenset(
    {"values", "names", "files", "links", "git", "environment", "broken-base", "other-project", "profiles"}
)


def commit(git: Git, files: Files, message: str) -> str:
    """Commits files; None removes one."""
    for path, content in files.items():
        place = git.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink() or place.exists():
            place.unlink()
        if callable(content):
            content(place)
        elif content is not None:
            place.write_bytes(content if isinstance(content, bytes) else content.encode())
    git("-c", "core.autocrlf=false", "add", "--all", "--force", ".")
    git("commit", "--quiet", "--allow-empty", "-m", message)
    return git("rev-parse", "HEAD")


def opened(folder: Path, before: Files, after: Files) -> tuple[Git, str, str]:
    """A repository with a base and the head of a pull request, and a secret beside it."""
    (folder / "project").mkdir(parents=True)
    (folder / "secret.yaml").write_text(f"password: {SECRET}\n", encoding="utf-8")
    git = Git(folder / "project")
    git("init", "--quiet", "--initial-branch=main")
    base = commit(git, {**BASE, **before}, "base")
    return git, base, commit(git, after, "head")
