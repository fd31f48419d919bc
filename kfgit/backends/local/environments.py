"""Virtual environments for python components: made once for a list of packages, shared by every task that asks for it.

A lightweight component carries its packages in a `pip install` script in front of its command (kfp
`dsl/component_factory.py`, `_get_packages_to_install_command`; v1 components have their own). `kfp.local` runs that
script for each task, which costs seconds. Here the script is read, never run: its installs become the address of an
environment below the cache folder, and the environment is installed only when that address is empty.

An environment is not relocatable, so it is built where it will stay, under a file lock that other processes and
threads wait for; the marker `ready` is written last, and what has no marker is removed and built again. A warm start
is two `stat` calls. Tools get the user's own index settings (`UV_*`, `PIP_*`, proxies) and nothing else.
"""

from __future__ import annotations

import fcntl
import functools
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from kfgit import canonical
from kfgit.backends.local import processes
from kfgit.backends.local.launcher import Stopped, TaskFailure

# Raised when environments made by an older kfgit must not be used any more.
LAYOUT = 1
_TAIL = 15


@dataclass(frozen=True, slots=True)
class Install:
    """One `pip install`: what, from where, and whether without dependencies. Order within it has no meaning."""

    requirements: tuple[str, ...]
    index: str | None = None
    extra_indexes: tuple[str, ...] = ()
    trusted_hosts: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_deps: bool = False
    prereleases: bool = False


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where environments are made and with what. Without `uv` it is `venv` and pip."""

    cache: Path
    python: Path = Path(sys.executable)
    uv: Path | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


def find_uv(path: str | None = None) -> Path | None:
    """The uv beside this interpreter (where `pip install kfgit[local]` puts it), else from `path` or PATH."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if path is None and os.access(beside, os.X_OK) else shutil.which("uv", path=path)
    return Path(found) if found else None


# --- reading the pip script ---------------------------------------------------------------------------------

_IGNORED = {
    "--quiet", "-q", "-qq", "--no-warn-script-location", "--user", "--upgrade", "-U", "--no-cache-dir", "--no-input",
    "--disable-pip-version-check", "--progress-bar=off", "--break-system-packages", "--no-python-version-warning",
}  # fmt: skip
_VALUED = {
    "--index-url": "index", "-i": "index", "--extra-index-url": "extra_indexes", "--trusted-host": "trusted_hosts",
    "--find-links": "find_links", "-f": "find_links",
}  # fmt: skip
_SWITCHES = {"--no-deps": "no_deps", "--pre": "prereleases"}


def pip_script(argv: Sequence[str]) -> tuple[tuple[Install, ...], tuple[str, ...]] | None:
    """The installs in front of a command, and the command; None where the command does not begin with them.

    Raises `TaskFailure` for a pip option that has no meaning here (`-r`, `--target`): guessing would give other
    packages than the cluster.
    """
    if len(argv) < 4 or argv[0].rpartition("/")[2] not in ("sh", "bash") or argv[1] != "-c":
        return None
    installs = _installs(argv[2])
    return (installs, tuple(argv[3:])) if installs else None


@functools.lru_cache(maxsize=256)
def _installs(script: str) -> tuple[Install, ...]:
    """Cached, since every attempt of every component of a pipeline tends to have the same script."""
    if "pip" not in script or not script.rstrip().endswith('"$0" "$@"'):
        return ()
    return tuple(dict.fromkeys(_install(words) for words in _commands(script) if words))


def _commands(script: str) -> Iterator[list[str]]:
    """The arguments of each `pip install` in a shell script, without those that stand in for a failed one."""
    lexer = shlex.shlex(script.replace("\\\n", " "), posix=True, punctuation_chars=";&|()\n")
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    words: list[str] = []
    operator = ""
    for word in [*lexer, "\n"]:
        if not set(word) <= set(";&|()\n") or not word:
            words.append(word)
            continue
        if words and "||" not in operator:
            yield _after_pip_install(words)
        operator = word if words else operator + word
        words = []


def _after_pip_install(words: list[str]) -> list[str]:
    """`FOO=1 python3 -m pip install a b` → `[a, b]`; anything else → `[]`."""
    rest = words
    while rest and "=" in rest[0] and rest[0].split("=", 1)[0].isidentifier():
        rest = rest[1:]
    if rest and rest[0].startswith("python") and rest[1:3] == ["-m", "pip"]:
        rest = ["pip", *rest[3:]]
    return rest[2:] if rest[:2] in (["pip", "install"], ["pip3", "install"]) else []


def _install(words: list[str]) -> Install:
    values: dict[str, list[str]] = {name: [] for name in _VALUED.values()}
    switches: dict[str, bool] = {}
    requirements: list[str] = []
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if word in _IGNORED or not word.startswith("-"):
            requirements += [word] if not word.startswith("-") and word.strip() else []
        elif word in _SWITCHES:
            switches[_SWITCHES[word]] = True
        elif option in _VALUED:
            values[_VALUED[option]].append(value if equals else next(rest, ""))
        else:
            raise TaskFailure(
                f"the component's pip command has the option `{option}`, which cannot be followed locally"
            )
    return Install(
        requirements=tuple(sorted(set(requirements))),
        index=values["index"][-1] if values["index"] else None,
        extra_indexes=tuple(dict.fromkeys(values["extra_indexes"])),
        trusted_hosts=tuple(sorted(set(values["trusted_hosts"]))),
        find_links=tuple(sorted(set(values["find_links"]))),
        no_deps=switches.get("no_deps", False),
        prereleases=switches.get("prereleases", False),
    )


# --- making an environment ----------------------------------------------------------------------------------


def environment(
    installs: Sequence[Install],
    workshop: Workshop,
    say: Callable[[str], None] = lambda _: None,
    stop: threading.Event | None = None,
) -> Path:
    """The folder of an environment with exactly these installs, made now if it is not there.

    Raises `TaskFailure` with the tool's last lines if an install fails, `Stopped` if `stop` was set meanwhile.
    """
    folder = workshop.cache / address(installs, workshop.python)
    if not _is_ready(folder):
        with _locked(folder.with_name(f"{folder.name}.lock"), say, stop):
            if not _is_ready(folder):
                _build(folder, installs, workshop, say, stop or threading.Event())
    return folder


def _is_ready(folder: Path) -> bool:
    """The interpreter is looked at too: it is a link, and a Python that was uninstalled leaves it dangling."""
    return (folder / "ready").exists() and (folder / "bin" / "python").exists()


def address(installs: Sequence[Install], python: Path) -> str:
    """The name of the environment with these installs, below the cache folder."""
    parts = [
        [i.requirements, i.index, i.extra_indexes, i.trusted_hosts, i.find_links, i.no_deps, i.prereleases]
        for i in installs
    ]
    return canonical.digest([LAYOUT, _identity(str(python)), parts])[:32]


@functools.cache
def _identity(python: str) -> tuple[str, ...]:
    """What makes an interpreter another one: the file itself, its full version, its platform."""
    if python == sys.executable:
        return _own_identity()
    code = f"import os,sys,platform,sysconfig;print({_IDENTITY})"
    try:
        done = subprocess.run(
            [python, "-I", "-c", code], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise TaskFailure(
            f"`{python}` is not a Python that environments can be made with: {error}"
        ) from error
    return tuple(done.stdout.strip().split("|"))


_IDENTITY = (
    "'|'.join([os.path.realpath(sys.executable), platform.python_version(), sysconfig.get_platform()])"
)


def _own_identity() -> tuple[str, ...]:
    return (os.path.realpath(sys.executable), platform.python_version(), sysconfig.get_platform())


@contextmanager
def _locked(path: Path, say: Callable[[str], None], stop: threading.Event | None) -> Iterator[None]:
    """Holds a lock that processes and threads respect and that the kernel drops when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    told = False
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say("waiting for another task that installs the same environment")
                told = True
                if stop is not None and stop.wait(0.02):
                    raise Stopped from None
                time.sleep(0 if stop is not None else 0.02)
        yield


def _build(
    folder: Path,
    installs: Sequence[Install],
    workshop: Workshop,
    say: Callable[[str], None],
    stop: threading.Event,
) -> None:
    say(f"installing {_names(installs)} into a new environment")
    try:
        _carry_out(folder, installs, workshop, stop)
    except TaskFailure as fault:
        # uv brings its own certificates and proxy settings; where they do not fit, pip's may.
        if workshop.uv is None or not _UNREACHED.search(str(fault)):
            raise
        say("uv cannot reach the package index; trying pip")
        _carry_out(folder, installs, replace(workshop, uv=None), stop)
    (folder / "ready").write_text(canonical.dumps([list(i.requirements) for i in installs]) + "\n")


_UNREACHED = re.compile(
    r"Failed to fetch|error sending request|invalid peer certificate|client error \(Connect\)"
)


def _carry_out(folder: Path, installs: Sequence[Install], workshop: Workshop, stop: threading.Event) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    for argv in _steps(folder, installs, workshop):
        _tool(argv, workshop, stop)


def _names(installs: Sequence[Install]) -> str:
    names = [name for install in installs for name in install.requirements if "python_version<" not in name]
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "") or "nothing"


def _steps(folder: Path, installs: Sequence[Install], workshop: Workshop) -> Iterator[list[str]]:
    wanted = [install for install in installs if install.requirements]
    if workshop.uv is not None:
        uv, python = str(workshop.uv), str(folder / "bin" / "python")
        yield [
            uv,
            "venv",
            "--quiet",
            "--no-project",
            "--no-config",
            "--python",
            str(workshop.python),
            str(folder),
        ]
        for install in wanted:
            common = ["pip", "install", "--quiet", "--compile-bytecode", "--python", python]
            yield [uv, *common, *_uv_options(install), "--", *install.requirements]
        return
    borrowed = workshop.python == Path(sys.executable) and importlib.util.find_spec("pip") is not None
    yield [str(workshop.python), "-I", "-m", "venv", *(["--without-pip"] if borrowed else []), str(folder)]
    for install in wanted:
        pip = (
            [sys.executable, "-m", "pip", "--python", str(folder)]
            if borrowed
            else [str(folder / "bin" / "python"), "-m", "pip"]
        )
        common = ["install", "--quiet", "--no-input", "--disable-pip-version-check"]
        yield [*pip, *common, *_pip_options(install), "--", *install.requirements]


def _pip_options(install: Install) -> list[str]:
    options = ["--index-url", install.index] if install.index else []
    for flag, values in (
        ("--extra-index-url", install.extra_indexes),
        ("--trusted-host", install.trusted_hosts),
        ("--find-links", install.find_links),
    ):
        options += [part for value in values for part in (flag, value)]
    return options + ["--no-deps"] * install.no_deps + ["--pre"] * install.prereleases


def _uv_options(install: Install) -> list[str]:
    """What uv calls pip's options; with several indexes pip takes the best version of all, uv of the first."""
    renamed = {"--trusted-host": "--allow-insecure-host", "--index-url": "--default-index"}
    options = [renamed.get(option, option) for option in _pip_options(install) if option != "--pre"]
    best = ["--index-strategy", "unsafe-best-match"] if install.extra_indexes else []
    return options + best + ["--prerelease", "allow"] * install.prereleases


def _tool(argv: list[str], workshop: Workshop, stop: threading.Event) -> None:
    marker = f"KFGIT_PROCESS={uuid.uuid4()}"
    with tempfile.TemporaryFile() as output:
        job = processes.Job(tuple(argv), workshop.variables or tool_variables(), workshop.cache, marker)
        try:
            ended = processes.run(job, output.fileno(), stop)
        except OSError as error:
            raise TaskFailure(
                f"`{argv[0]}` cannot be started to make an environment: {error.strerror}"
            ) from error
        if ended.why == "stopped":
            raise Stopped
        if ended.code != 0:
            output.seek(0)
            tail = output.read().decode("utf-8", "replace").strip().splitlines()[-_TAIL:]
            raise TaskFailure("the component's packages cannot be installed: " + "\n".join(tail))


_PASSED = ("PATH", "HOME", "LANG", "TMPDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "NETRC")
_PASSED_PREFIXES = ("UV_", "PIP_", "SSL_CERT_")
PROXIES = tuple(
    name
    for n in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy")
    for name in (n, n.upper())
)
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def tool_variables(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What an installer may know of the user's environment: builds of source packages run with it."""
    source = os.environ if environ is None else environ
    allowed = {*_PASSED, *PROXIES, *CERTIFICATES}
    kept = {k: v for k, v in source.items() if k in allowed or k.startswith(_PASSED_PREFIXES)}
    return {
        name: value
        for name, value in kept.items()
        if name not in ("PIP_REQUIRE_VIRTUALENV", "PIP_TARGET", "PIP_USER")
    }
