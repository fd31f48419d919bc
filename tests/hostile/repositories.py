"""Repositories made to hurt: too large, too deep, growing, looping, reaching out, lying about what they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

Content: TypeAlias = bytes | str | Callable[[Path], object]
Files: TypeAlias = Mapping[str, Content]

MIB = 1024 * 1024
PROJECT = "apiVersion: kfgit.dev/v1\nkind: Project\nmetadata: {name: p}\n"
MAKE = """apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: make}
spec: {inputs: {x: {type: string, default: a}}, outputs: {y: {type: string}}, container: {image: "e.com/m:1"}}
"""
DEV = f"""apiVersion: kfgit.dev/v1
kind: Environment
metadata: {{name: dev}}
spec:
  vars:
    long: {"x" * 60_000}
    big: [{",".join(["aaa"] * 20_000)}]
"""
FUNCTION = "def f(x: str = 'a') -> str:\n    return x\n"


def pipeline(spec: str, name: str = "p") -> str:
    return f"apiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {{name: {name}}}\nspec:\n{spec}"


def component(spec: str) -> str:
    return f"apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {{name: c}}\nspec:\n{spec}"


def with_value(value: str) -> Files:
    tasks = f"  tasks:\n    t:\n      component: make\n      inputs:\n        x: {value}\n"
    return {"environments/dev.yaml": DEV, "pipelines/x.yaml": pipeline(tasks)}


def with_condition(condition: str) -> Files:
    head = "  inputs: {x: {type: string, default: a}}\n  tasks:\n    t:\n      component: make\n      when: "
    return {"pipelines/x.yaml": pipeline(f"{head}{condition}\n")}


def with_pattern(pattern: str, value: str) -> Files:
    port = f'  inputs: {{x: {{type: string, pattern: "{pattern}", default: "{value}"}}}}\n'
    return {"components/c.yaml": component(f"{port}  container: {{image: 'e.com/m:1'}}\n")}


def with_script(script: str) -> Files:
    lines = "".join(f"      {line}\n" for line in script.split("\n"))
    head = "  inputs: {x: {type: string, default: a}}\n  container:\n    image: e.com/m:1\n    script: |\n"
    return {"components/c.yaml": component(head + lines)}


def with_python(source: str | bytes) -> Files:
    return {
        "components/c.yaml": component("  python: {file: f.py, function: f}\n"),
        "components/f.py": source,
        "pipelines/x.yaml": pipeline("  tasks: {t: {component: c}}\n"),
    }


def with_tasks(count: int, task: str) -> Files:
    return {
        "pipelines/p.yaml": pipeline("  tasks:\n" + "".join(task.replace("%", str(n)) for n in range(count)))
    }


def with_patches(operations: str) -> Files:
    head = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  patches:\n"
    target = "  - target: {kind: Pipeline, name: p}\n    patch:\n"
    spec = "  tasks: {t: {component: make}}\n  inputs: {a: {type: dict, default: {k: [1, 2, 3, 4]}}}\n"
    return {"environments/dev.yaml": head + target + operations, "pipelines/p.yaml": pipeline(spec)}


def with_git(files: Files) -> Files:
    spec = "  description: '{{ git.sha }} {{ git.branch }} {{ git.tag }}'\n  tasks: {t: {component: make}}\n"
    return {"pipelines/g.yaml": pipeline(spec), **files}


def link(target: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(target)


def texts(size: int) -> Iterator[tuple[str, bytes | str]]:
    """YAML of one shape, so many bytes long."""
    shapes: dict[str, bytes] = {
        "flow": b"1,", "on": b"- on\n", "empty": b"[],", "documents": b"---\n",
        "maps": b"--- {}\n", "broken": b"--- [\n", "ours": b"---\nkind: Pipeline\n", "open": b"[", "opens": b"{a: ",
        "dashes": b"- ", "questions": b"? ", "tags": b"- !!python/object:os.system x\n", "tabs": b"\t",
        "nuls": b"\0", "bad": b"\xff", "returns": b"\r", "crlf": b"a: 1\r\n", "next": "\x85".encode(), "colons": b": ",
        "templates": b"a: {{ x }}\n", "braces": b"{{", "quotes": b'a: "\n', "aliases": b"- *a\n", "comments": b"# x\n",
        "wide": "😀".encode(), "lines": "a: 1\u2028".encode(), "nested": b"[" * 98 + b"]" * 98 + b"\n--- ",
    }  # fmt: skip
    for name, part in shapes.items():
        yield name, part * (size // len(part))
    yield "scalar", b"a: " + b"x" * size
    yield "key", b"k" * size + b": 1"
    yield "keys", b"".join(b"k%x: no\n" % n for n in range(size // 11))
    yield "end", b"a: " + b"x" * size + b"\xff"
    yield "anchors", b"- &a [" + b"1," * (size // 4) + b"]\n" + b"- *a\n" * (size // 10)
    yield "merges", b"a: &a {x: 1}\n" + b"".join(b"k%x: {<<: *a}\n" % n for n in range(size // 18))
    yield "directive", b"%YAML " + b"9" * size + b"\n---\na: 1\n"
    yield "directives", b"".join(b"%%TAG !%x! x\n" % n for n in range(size // 14)) + b"---\na: 1\n"


TEMPLATES = {
    "range": "{{ range(10**9) }}", "times": "{{ 'a' * 10**9 }}", "power": "{{ 10**10**10 }}",
    "center": "{{ 'a'|center(10**9) }}", "format": "{{ '%1000000000d'|format(1) }}", "percent": "{{ '%999999999d' % 1 }}",
    "class": "{{ ''.__class__.__mro__ }}", "item": "{{ ''['__class__'] }}", "attr": "{{ ''|attr('__class__') }}",
    "globals": "{{ cycler.__init__.__globals__.os.popen('id').read() }}", "self": "{{ self }}", "join": "{{ vars.big|join(vars.long) }}",
    "replace": "{{ vars.long|replace('', vars.long) }}", "split": "{{ vars.long.split('x')|join(vars.long) }}",
    "tildes": "{{ " + "~".join(["vars.long"] * 400) + " }}", "sum": "{{ [vars.big, vars.big]|sum(start=[]) }}",
    "parentheses": "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "nots": "{{ " + "not " * 4000 + "1 }}",
    "adds": "{{ 1" + "+1" * 4000 + " }}", "filters": "{{ 1" + "|string" * 2000 + " }}", "ifs": "{% if 1 %}" * 900 + "{% endif %}" * 900,
    "digits": "{{ " + "9" * 5000 + " }}", "hex": "{{ 0x" + "f" * 9000 + " }}", "infinite": "{{ 9e999 }}", "nan": "{{ 'nan'|float }}",
    "macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "include": "{% include '/etc/passwd' %}",
    "held": "\ue000" + "9" * 5000 + "\ue001{{ 1 }}{{$}}", "method": "{{ vars.items }}", "hidden": "{{ __weighed__ }}",
    "placeholders": "{{$" * 300_000,
}  # fmt: skip
FILES = {
    "loops": "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}",
    "work": "{% for i in range(99999) %}{% if vars.big|sort|join == vars.long.upper() %}{% endif %}{% endfor %}",
    "texts": "{% set a = vars.long ~ vars.long %}" + "{% set a = a ~ a %}" * 40 + "{{ a|length }}",
    "lists": "{% set a = [1, 1] %}" + "{% set a = [a, a, a, a] %}" * 40 + "{{ a }}",
    "equal": "{% set a = [1] %}" + "{% set a = [a, a] %}" * 60 + "{% set b = [1] %}" + "{% set b = [b, b] %}" * 60 + "{{ a == b }}",
    "blocks": "{% for i in [1] %}" * 90 + "{% endfor %}" * 90,
    "recursive": "{% for i in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "lines": "\n" * 1_900_000,
    "huge": "{% for i in range(99999) %}- aaaaaaaaaaaaaaaaaaaaaa\n{% endfor %}",
    "counted": "{{ __counted__ }}{{ range }}",
}  # fmt: skip
CONDITIONS = {
    "parentheses": "(" * 1900 + "1 == 1" + ")" * 1900, "nots": "not " * 900 + "true", "bangs": "!" * 3900 + "true",
    "long": "1 == 1 && " * 100_000 + "true", "lists": "1 in " + "[" * 1900 + "]" * 1900, "digits": "1 == " + "9" * 3900,
    "minus": "-" * 3900 + "1 == 1", "calls": "size(" * 900, "open": "$(" * 1000,
}  # fmt: skip
PATTERNS = {
    "nested": ("(a+)+$", "a" * 60 + "!"), "alternatives": ("(a|a)*b", "a" * 60), "polynomial": ("a*a*a*a*a*a*b", "a" * 400),
    "optional": ("(?:a?)" * 60 + "a" * 60, "a" * 60), "words": (r"^(\\w+\\s?)*$", "aaaa " * 12 + "!"),
    "back": (r"(.*)\\1\\1\\1b", "a" * 400), "huge": ("a{4294967296}", "a"), "repeats": ("((a{1000}){1000}){1000}", "a"),
}  # fmt: skip
SOURCES: dict[str, str | bytes] = {
    "parentheses": "x = " + "(" * 10_000 + ")" * 10_000 + "\n" + FUNCTION, "minus": "x = " + "-" * 100_000 + "1\n" + FUNCTION,
    "sum": FUNCTION + "    y = " + "1+" * 60_000 + "1\n", "nul": "x = '\0'\n" + FUNCTION, "cookie": "# -*- coding: utf-7 -*-\n" + FUNCTION,
    "latin": b"# -*- coding: latin-1 -*-\nx = '\xe9'\n" + FUNCTION.encode(), "statements": "x = 1\n" * 300_000 + FUNCTION,
    "arguments": "def f(" + ",".join(f"a{n}" for n in range(15_000)) + "): pass\n", "power": "def f(x: int = 10**10**10): pass\n",
    "names": FUNCTION + "".join(f"    n{n}\n" for n in range(10_000)), "digits": "def f(x: int = 0x" + "f" * 50_000 + "): pass\n",
    "default": "def f(x: list = " + "[" * 90 + "]" * 90 + "): pass\n", "escape": "def f(x: str = '\\x1b[31m\\ud800'): pass\n",
}  # fmt: skip
SCRIPTS = {
    "quotes": "'" * 130_000, "nested": '"$(' * 1_900, "here": "cat <<E\n$(inputs.x)\n" * 1_900, "heres": "cat " + "<<E " * 25_000,
    "references": "echo $(inputs.x)\n" * 40_000, "hashes": "#" * 800_000, "open": "$(inputs." * 10_000,
}  # fmt: skip
PATCHES = {
    "doubling": "".join(f"    - {{op: copy, from: /spec/inputs/a/default, path: /spec/inputs/a/default/k{n}}}\n" for n in range(60)),
    "many": "    - {op: add, path: /spec/inputs/a/default/k/0, value: 1}\n" * 14_000,
    "deep": "    - {op: add, path: '" + "/a" * 300_000 + "', value: 1}\n",
    "digits": "    - {op: add, path: /spec/inputs/a/default/k/" + "9" * 5000 + ", value: 1}\n",
    "superscript": "    - {op: add, path: /spec/inputs/a/default/k/²/x, value: 1}\n",
}  # fmt: skip


def nested(levels: int) -> str:
    """Pipelines that use the one before twice."""
    first = pipeline("  tasks: {a: {component: make}, b: {component: make}}\n", "p0")
    more = (
        pipeline(f"  tasks: {{a: {{pipeline: p{n}}}, b: {{pipeline: p{n}}}}}\n", f"p{n + 1}")
        for n in range(levels)
    )
    return "---\n".join([first, *more])


MODELS: dict[str, Files] = {
    "tasks": with_tasks(30_000, "    t%: {component: make}\n"),
    "unknown": with_tasks(12_000, "    t%: {component: make, after: [nope%]}\n"),
    "wrong": with_tasks(9_000, "    t%: {component: 5}\n"),
    "misnamed": with_tasks(9_000, "    T%: {component: make}\n"),
    "keys": {"pipelines/p.yaml": pipeline("".join(f"  k{n}: 1\n" for n in range(40_000)))},
    "nested": {"pipelines/p.yaml": nested(40)},
    "loop": {"pipelines/p.yaml": pipeline("  tasks:\n    l:\n      forEach: [" + "1," * 90_000 + "]\n      tasks: {t: {component: make}}\n")},
    "profiles": {"pipelines/p.yaml": "---\n".join(f"apiVersion: kfgit.dev/v1\nkind: ResourceProfile\nmetadata: {{name: r{n}}}\nspec: {{extends: r{(n + 1) % 3000}}}\n" for n in range(3_000))},
    "environments": {f"environments/e{n}.yaml": f"apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {{name: e{n}}}\nspec: {{mode: production}}\n" for n in range(1_000)},
    "durations": {"pipelines/p.yaml": pipeline("  tasks: {t: {component: make, timeout: " + "1h" * 100_000 + "}}\n  ttl: {finished: 99999999999999999999d}\n")},
    "escapes": {"pipelines/p.yaml": pipeline('  tasks: {"t\\e[31m": {component: "x\\e[31m\\u202e\\n::error::no"}}\n')},
    "secrets": {"components/c.yaml": component(f"  container: {{image: 'e.com/m:1', env: {{A_TOKEN: {'x' * 900_000}, B: '{'a://' * 200_000}'}}}}\n")},
    "variables": {"environments/dev.yaml": DEV, "pipelines/x.yaml": pipeline("  tasks:\n" + "".join(f"    t{n}: {{component: make, inputs: {{x: '{n}{{{{ vars.long }}}}'}}}}\n" for n in range(4_000)))},
}  # fmt: skip


def documents(kind: str, count: int, spec: str) -> str:
    """So many documents of one kind in a file; `%` is the number of each."""
    head = f"--- {{apiVersion: kfgit.dev/v1, kind: {kind}, metadata: {{name: x%}}, spec: {{{spec}}}}}\n"
    return "".join(head.replace("%", str(n)).replace("@", str(n + 1)) for n in range(count))


def with_enum(values: int, tasks: int) -> Files:
    choices = ",".join(f"v{n}" for n in range(values))
    port = f"  inputs: {{x: {{type: string, enum: [{choices}]}}}}\n"
    given = with_tasks(tasks, "    t%: {component: c, inputs: {x: v2%}}\n")
    return {"components/c.yaml": component(f"{port}  container: {{image: 'e.com/m:1'}}\n"), **given}


def with_selectors(patches: int, selected: int) -> Files:
    """Patches that are each for every document of a kind."""
    patch = "  - {target: {kind: ResourceProfile, selector: {a: b}}, merge: {spec: {requests: {cpu: '1'}}}}\n"
    head = "apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {name: dev}\nspec:\n  patches:\n"
    profiles = documents("ResourceProfile", selected, "").replace("name: x", "labels: {a: b}, name: x")
    return {"environments/dev.yaml": head + patch * patches, "pipelines/p.yaml": profiles}


P = pipeline("  tasks: {t: {component: make}}\n")
MANY: dict[str, Files] = {
    "mistakes": {"pipelines/p.yaml": documents("ResourceProfile", 20_000, "cpuu: 1")},
    "names": {"pipelines/p.yaml": documents("Pipeline", 20_000, "").replace("name: x", "name: X")},
    "kinds": {"pipelines/p.yaml": documents("Pipelin", 20_000, "")},
    "runs": {"pipelines/p.yaml": documents("Run", 15_000, "pipeline: nope%")},
    "patches": with_selectors(1_000, 6_000),
    "extends": {"pipelines/p.yaml": documents("ResourceProfile", 15_000, "extends: x@")},
    "never": {"pipelines/p.yaml": P + documents("Schedule", 8_000, "pipeline: p, cron: '0 0 30,% 2 *'")},
    "enum": with_enum(30_000, 8_000),
    "templates": {"pipelines/p.yaml": with_tasks(15_000, "    t%: {component: make, inputs: {x: '{{ 1 + % }}'}}\n")["pipelines/p.yaml"]},
    "unknown-variables": {"pipelines/p.yaml": documents("ResourceProfile", 15_000, "requests: {cpu: '{{ vars.x% }}'}")},
    "patterns": {"components/c.yaml": component("  inputs:\n" + "".join(f"    x{n}: {{type: string, pattern: '(?=a)(a*)*c{n}{'b?' * 100}', default: {'a' * 99}}}\n" for n in range(4_000)) + "  container: {image: 'e.com/m:1'}\n")},
    "variables": {"environments/dev.yaml": DEV, **with_tasks(8_000, "    t%: {component: make, inputs: {x: '{{ vars.big }}'}}\n")},
    "values": {"pipelines/p.yaml": pipeline("  inputs: {a: {type: dict, default: {" + ",".join(f"k{n}: {{a: 1}}" for n in range(49_000)) + "}}}\n  tasks: {t: {component: make}}\n")},
    "files": {f"pipelines/d{n % 100}/f{n}.yaml": "a: 1\n" for n in range(25_000)},
    "folders": {f"pipelines/{'d/' * 700}f.yaml": "a: 1\n"},
}  # fmt: skip
FOLDERS: dict[str, Files] = {
    "links": {
        "pipelines/passwd.yaml": link("/etc/passwd"), "pipelines/zero.yaml": link("/dev/zero"), "pipelines/self.yaml": link("self.yaml"),
        "pipelines/nowhere.yaml": link("nowhere"), "pipelines/folder": link("/etc"), "pipelines/up": link(".."), "pipelines/etc.yaml": link("/etc"),
    },
    "pipes": {"pipelines/pipe.yaml": os.mkfifo, "pipelines/pipe.yaml.j2": os.mkfifo},
    "project": {"kfgit.yaml": link("/etc/passwd")},
    "sources": {"kfgit.yaml": PROJECT + 'spec: {sources: [/etc, .., "a\\0b", "", ., 5, [x], .git, .kfgit, "\\e[31m"]}\n', ".kfgit/secrets/s.env": "token=TOPSECRET\n"},
    "many-sources": {"kfgit.yaml": PROJECT + "spec: {sources: [" + ",".join(f"s{n}" for n in range(50_000)) + "]}\n"},
    "names": {f"pipelines/{name}.yaml": "kind: [" for name in ("\x1b[31m", "a\nb", "\u202e", "::error::x", "a%0Ab,title=x", "\udcff")},
    "python": {"components/c.yaml": component("  python: {file: ../../../etc/passwd, function: f}\n")},
    "device": {"components/c.yaml": component("  python: {file: /dev/zero, function: f}\n")},
    "pipe": {"components/c.yaml": component("  python: {file: f.py, function: f}\n"), "components/f.py": os.mkfifo},
    "large": {f"pipelines/f{n}.yaml": b"# " + b"x" * 11_000_000 for n in range(8)},
}  # fmt: skip
SHA = "a" * 40
GIT: dict[str, Files] = {
    "tags": {".git/HEAD": "ref: refs/heads/main\n", ".git/refs/heads/main": SHA, ".git/refs/tags/v1": SHA, ".git/config": "[core]\n\tfsmonitor = touch PWNED;\n\tsshCommand = touch PWNED\n\tpager = touch PWNED\n[alias]\n\tfor-each-ref = !touch PWNED\n"},
    "large": {".git/HEAD": "ref: " + "x" * 20_000_000}, "out": {".git/HEAD": "ref: ../../../../etc/passwd\n"},
    "nul": {".git/HEAD": "ref: a\0b\n"}, "pipe": {".git/HEAD": os.mkfifo}, "zero": {".git/HEAD": link("/dev/zero")},
    "packed": {".git/HEAD": "ref: refs/heads/main\n", ".git/packed-refs": link("/dev/zero")}, "gitdir": {".git": "gitdir: a\0b\n"},
    "common": {".git/HEAD": "ref: refs/heads/main\n", ".git/commondir": os.mkfifo},
}  # fmt: skip


_ITEMS = "[" + ",".join(map(str, range(1000))) + "]"
_ALL3 = "{0}.all(a, {0}.all(b, {0}.all(c, a + b + c >= 0)))"
RULES: dict[str, tuple[str, ...]] = {
    "macros": (_ALL3.format(_ITEMS),) * 40,
    "long": (" && ".join(["true"] * 20_000), "'" + "x" * 1_000_000 + "' == ''", "[" + "1," * 100_000 + "1] == []"),
    "deep": ("(" * 50_000 + "true" + ")" * 50_000, "!" * 100_000 + "true", "-" * 100_000 + "1 == 1", "[" * 50_000 + "]" * 50_000 + " == []"),
    "regular": tuple(f"'{'a' * 5_000}'.matches('{text}')" for text in ("(a*)*b", "(a|aa)+$", "a{500}{500}", "(a?){400}a{400}", "((((a+)+)+)+)+b")),
    "growing": ("[1].map(a, [a, a]).map(a, [a, a]).map(a, [a, a]) == []", "'" + "x" * 1_000 + "' + " * 400 + "'' == ''"),
    "many": ("true", "resource.kind == 'Component'", "has(resource.spec.x) || resource == resource") * 5_000,
    "refused": ("false",) * 5_000,
    "odd": ("resource.\\u0000x", "`a`", "resource['\\e[31m'] == 1", "\\ud800 == 1", "$(inputs.x)", "{{ git.sha }}", "timestamp('x') > timestamp('y')"),
}  # fmt: skip


def with_rules(rules: tuple[str, ...], documents: int = 1) -> Files:
    written = "".join(f'    - {{name: r{n}, require: "{text}"}}\n' for n, text in enumerate(rules))
    many = "---\n".join(MAKE.replace("name: make", f"name: m{n}") for n in range(documents))
    return {"kfgit.yaml": f"{PROJECT}spec:\n  policies:\n    rules:\n{written}", "components/m.yaml": many}


def with_devices(tasks: int, waiting: int) -> Files:
    """Tasks that each hold a device; each waits for so many of those before it."""
    task = "    t{0}: {{component: make, after: [{1}], resources: {{accelerator: {{resource: a.b/c, count: 1}}}}}}\n"
    before = (",".join(f"t{n}" for n in range(max(number - waiting, 0), number)) for number in range(tasks))
    spec = "  tasks:\n" + "".join(task.format(number, names) for number, names in enumerate(before))
    return {
        "kfgit.yaml": f"{PROJECT}spec: {{policies: {{maxGpusPerRun: 1}}}}\n",
        "pipelines/p.yaml": pipeline(spec),
    }


POLICIES: dict[str, Files] = {
    **{name: with_rules(rules) for name, rules in RULES.items()},
    "many-documents": with_rules(RULES["many"][:100], 300),
    "devices": with_devices(2_000, 3), "devices-dense": with_devices(150, 20),
    "devices-nested": {
        "kfgit.yaml": f"{PROJECT}spec: {{policies: {{maxGpusPerRun: 1}}}}\n",
        "pipelines/p.yaml": "---\n".join(
            pipeline(f"  tasks: {{a: {{pipeline: p{n + 1}}}, b: {{pipeline: p{n + 1}}}}}\n", f"p{n}") for n in range(60)
        ) + "---\n" + pipeline("  tasks: {t: {component: make, resources: {accelerator: {resource: a.b/c, count: 1}}}}\n", "p60"),
    },
    "windows": {
        "kfgit.yaml": f"{PROJECT}spec: {{policies: {{freeze: [" + "{start: 2026-01-01T00:00:00Z, end: 2027-01-01T00:00:00Z}," * 20_000 + "]}}\n",
    },
    "protected": {"kfgit.yaml": f"{PROJECT}spec: {{policies: {{protected: [" + "'pipeline/" + "*a" * 1_000 + "'," * 1 + "]}}\n"},
}  # fmt: skip


PROD = """apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec: {target: {type: cluster, namespace: ml, kfp: {endpoint: https://kfp.example.com}}}
"""


def profiles(count: int, spec: str, tasks: str = "") -> Files:
    """So many profiles, each with its number in place of `%` and the one after it in place of `@`, and their tasks."""
    each = "".join(tasks.replace("%", str(n)) for n in range(min(count, 4_900)))
    spec_of_tasks = f"  tasks:\n{each or '    t: {component: make}'}\n"
    return {
        "environments/prod.yaml": PROD,
        "pipelines/profiles.yaml": documents("ResourceProfile", count, spec),
        "pipelines/p.yaml": pipeline(spec_of_tasks),
    }


def _listed(text: str, count: int) -> str:
    return ",".join(text.replace("#", str(n)) for n in range(count))


_USING = "    t%: {component: make, profile: x%}\n"
_WIDE = "extends: base, queue: {localQueue: l%, clusterQueue: q, flavor: f%}"
_KEPT = "queue: {localQueue: l, clusterQueue: q, cohort: c}, quota: {cpu: 1, a.b/c: %}, limitRange: {max: {cpu: 5}}"
_BASE = "--- {{apiVersion: kfgit.dev/v1, kind: ResourceProfile, metadata: {{name: base}}, spec: {{{0}}}}}\n"
PROFILES: dict[str, Files] = {
    "chain": profiles(5_000, "extends: x@, requests: {cpu: 1}", _USING),
    "chain-kept": profiles(2_500, f"extends: x@, {_KEPT}", _USING),
    "chain-claims": profiles(3_500, "extends: x@, claim: {deviceClass: c}, priority: {class: a, value: %}", _USING),
    "one-queue": profiles(3_000, "queue: {localQueue: l%, clusterQueue: q, flavor: f%}, quota: {a.b/g%: 1, a.b/g@: 1}"),
    "queues": profiles(3_000, "queue: {localQueue: l%, clusterQueue: q%}, quota: {a.b/c: 1}, accelerator: {resource: a.b/c}", _USING),
    "conflicts": profiles(3_500, "claim: {name: c, deviceClass: d%}, priority: {class: a, value: %}", _USING),
    "large-quota": {**profiles(4_000, _WIDE), "pipelines/base.yaml": _BASE.format(f"quota: {{{_listed('a.b/k#: 1', 9_000)}}}")},
    "wide-quota": {**profiles(4_000, _WIDE), "pipelines/base.yaml": _BASE.format(f"quota: {{{_listed('a.b/k#: 1', 60)}}}")},
    "labels": {
        **profiles(4_000, "extends: base", _USING),
        "pipelines/base.yaml": _BASE.format(f"node: {{selector: {{{_listed('k#: v', 20_000)}}}, tolerations: [{_listed('{key: k#, value: w}', 9_000)}]}}"),
    },
    "affinity": {
        **profiles(4_000, "extends: base, limits: {memory: 1Gi}", _USING),
        "pipelines/base.yaml": _BASE.format(f"sharedMemory: 2Gi, node: {{selector: {{k0: c}}, affinity: [{_listed('{matchExpressions: [{key: k#, operator: In, values: [a, b]}]}', 90)}]}}"),
    },
    "defaults": {"environments/prod.yaml": PROD, "pipelines/p.yaml": pipeline(
        f"  defaults: {{kubernetes: {{nodeSelector: {{{_listed('k#: v', 9_000)}}}, tolerations: [{_listed('{key: k#, value: w}', 9_000)}]}}}}\n  tasks:\n"
        + "".join(f"    t{n}: {{component: make}}\n" for n in range(4_000))
    )},
    "nested": {
        **profiles(1, "accelerator: {resource: a.b/c}, cost: {perHour: 1}, quota: {a.b/c: 1}, limitRange: {max: {cpu: 1}}"),
        "pipelines/p.yaml": pipeline("  tasks:\n" + "".join(f"    t{n}: {{component: make, profile: x0}}\n" for n in range(2_000)), "all"),
        "pipelines/more.yaml": documents("Pipeline", 3_000, "tasks: {a: {pipeline: all}}"),
    },
    "counts": profiles(1_000, "accelerator: {resource: a.b/c, count: 9223372036854775807}, quota: {a.b/c: 1e400, cpu: 9E, memory: 99999999999999999999Ei}, cost: {perHour: 1e300}", _USING),
    "mapped": {
        **profiles(5_000, "requests: {cpu: 1}"),
        "environments/prod.yaml": PROD.replace("spec: {", f"spec: {{profiles: {{{_listed('m#: m#', 9_000)}}}, "),
    },
    "models": profiles(1_000, f"accelerator: {{resource: nvidia.com/mig-1g.5gb, model: {'A100-' * 60}}}, node: {{selector: {{nvidia.com/gpu.product: {'A100-' * 60}}}}}", _USING),
}  # fmt: skip


def _all() -> Iterator[tuple[str, Files]]:
    for name, text in texts(10 * MIB):
        if name in {"scalar", "nuls", "open", "keys"}:  # none of them is read
            yield f"10m-{name}", {"pipelines/x.yaml": text}
    yield from ((f"2m-{name}", {"pipelines/x.yaml": text}) for name, text in texts(2 * MIB - 3000))
    for name, template in TEMPLATES.items():
        quoted = "'" + template.replace("'", "''") + "'"
        yield f"template-{name}", with_value(quoted)
    yield from (
        (f"file-{n}", {"environments/dev.yaml": DEV, "pipelines/x.yaml.j2": t}) for n, t in FILES.items()
    )
    yield from ((f"when-{name}", with_condition(text)) for name, text in CONDITIONS.items())
    yield from ((f"pattern-{name}", with_pattern(*given)) for name, given in PATTERNS.items())
    yield from ((f"python-{name}", with_python(text)) for name, text in SOURCES.items())
    yield from ((f"script-{name}", with_script(text)) for name, text in SCRIPTS.items())
    yield from ((f"patch-{name}", with_patches(text)) for name, text in PATCHES.items())
    yield from ((f"model-{name}", files) for name, files in MODELS.items())
    yield from ((f"many-{name}", files) for name, files in MANY.items())
    yield from ((f"policies-{name}", files) for name, files in POLICIES.items())
    yield from ((f"profiles-{name}", files) for name, files in PROFILES.items())
    yield from ((f"folder-{name}", files) for name, files in FOLDERS.items())
    yield from ((f"git-{name}", with_git(files)) for name, files in GIT.items())


def write(root: Path, files: Files) -> None:
    """The files below a folder, with what every one of these repositories has."""
    for path, content in {"kfgit.yaml": PROJECT, "components/make.yaml": MAKE, **files}.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(place)
        else:
            place.write_bytes(
                content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass")
            )


REPOSITORIES: Mapping[str, Files] = dict(_all())
