"""Carries out one attempt of a task: prepares its folders, runs its program, reads what it left.

A python component runs in a cached virtual environment (`environments`), a container component in docker or podman
where one answers (`containers`), else as a process of this machine; with `docker` or `podman` asked for by name both
run in their image. The program gets what KFP's launcher would give it (`launcher`) and a clean environment: the
container's declared variables, and of this machine's only those in `_ALLOWED`. Secrets come from files beside the
repository, are passed on, and never written: not into the log, not into `repro.sh`. No program outlives kfgit
(`reaper`).

An attempt's folder holds `log.txt`, `executor_input.json`, `executor_output.json`, `outputs/` (parameters), `work/`
(where it runs), `home/`, `tmp/` and `repro.sh`. A new attempt starts without the artifacts of the one before it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from kfgit.backends.local import containers, environments, launcher, reaper
from kfgit.backends.local.launcher import Stopped, TaskFailure
from kfgit.backends.local.protocol import Execute, Import, Outputs
from kfgit.events import Artifact
from kfgit.ir import SDK_VERSION

__all__ = [
    "AttemptPlace", "Hooks", "Masker", "Stopped", "TaskFailure", "WorkerSettings", "env_file", "parity", "run_attempt",
    "run_import", "settle",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AttemptPlace:
    """The folders of one attempt: its own, and the task's artifacts, which all attempts share. Both absolute."""

    folder: Path
    artifacts: Path


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """What is the same for all attempts of a run.

    `secrets` and `configmaps` are the folders with a NAME.env for each, `environments` the cache of virtual
    environments. `path` stands in for PATH, for tasks and for finding tools. `settle` fills in the last two.
    """

    secrets: Path
    configmaps: Path
    environments: Path
    run_id: str
    run_name: str
    executor: Literal["auto", "process", "docker", "podman"] = "auto"
    namespace: str = "kubeflow"
    path: str | None = None
    python: Path = Path(sys.executable)
    engine: containers.Engine | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Hooks:
    """How an attempt talks with its runner: a process began, something slow happens, someone wants it to stop."""

    started: Callable[[], None] = lambda: None
    say: Callable[[str], None] = lambda _: None
    stop: threading.Event = field(default_factory=threading.Event)


def settle(settings: WorkerSettings) -> WorkerSettings:
    """Looks once whether docker or podman answers, so that the rest needs no looking. Raises `TaskFailure`."""
    if settings.settled:
        return settings
    return replace(settings, engine=containers.find(settings.executor, settings.path), settled=True)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """All that is known before an attempt starts."""

    command: Execute
    place: AttemptPlace
    settings: WorkerSettings
    hooks: Hooks


def run_attempt(command: Execute, place: AttemptPlace, settings: WorkerSettings, hooks: Hooks) -> Outputs:
    """Runs one attempt to its end. Raises `TaskFailure` if the task is to blame, `Stopped` if `hooks.stop` was set."""
    attempt = _Attempt(command, place, settle(settings), hooks)
    if hooks.stop.is_set():
        raise Stopped
    if (image := str(command.executor.get("image", ""))) in _VOLUME_IMAGES:
        return _volume_outputs(image, command, settings)
    layout = launcher.Layout(place.folder / "executor_output.json", place.folder / "outputs", place.artifacts)
    given = launcher.executor_input(command, layout)
    _prepare(command, place)
    (place.folder / "executor_input.json").write_text(launcher.to_json(given) + "\n")
    variables = _declared(command, attempt.settings)
    argv = launcher.arguments(command, given, variables.values)
    image = launcher.fill(image, launcher.placeholders(given))
    with _scratch(place) as scratch:
        program = _program(attempt, image, argv, variables, scratch)
        (place.folder / "repro.sh").write_text(_repro(program, variables, place))
        _execute(attempt, program, variables)
        written = launcher.parse_output(_read(str(layout.output_file)))
        outputs = launcher.collect(command, given, written, _read)
        _bring_home(outputs, place)
    shutil.rmtree(place.folder / "tmp", ignore_errors=True)
    return outputs


def run_import(command: Import, say: Callable[[str], None] = lambda _: None) -> Outputs:
    """Records an outside thing as the artifact `artifact`. Raises `TaskFailure`.

    What is on this machine must exist and be named by an absolute path or `file://`: a relative path would mean
    another thing for each process. What is elsewhere is recorded as it stands and never fetched.
    """
    uri = _local_uri(command.uri)
    if uri.startswith("/") and not Path(uri).exists():
        raise TaskFailure(f"`{command.uri}` does not exist on this machine")
    if not uri.startswith("/"):
        say(f"`{uri}` is recorded but not fetched: a task that opens it by its path finds nothing here")
    made = Artifact(uuid.uuid4().hex, "artifact", command.type, uri, dict(command.metadata), command.version)
    return Outputs(artifacts={"artifact": (made,)})


def _local_uri(uri: str) -> str:
    if uri.startswith("file:"):
        parts = urlsplit(uri)
        if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
            raise TaskFailure(f"`{uri}` does not name a file of this machine: write file:///absolute/path")
        return os.path.normpath(unquote(parts.path))
    if uri.startswith("/"):
        return os.path.normpath(uri)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://.", uri):
        raise TaskFailure(
            f"`{uri}` is neither an absolute path nor a URI, so what it means would depend on the folder"
        )
    return uri


# --- folders ------------------------------------------------------------------------------------------------


def _prepare(command: Execute, place: AttemptPlace) -> None:
    """Makes the folders. On a cluster a failed attempt uploads no artifacts, so what it left is removed."""
    for name in ("outputs", "work", "home", "tmp"):
        (place.folder / name).mkdir(parents=True, exist_ok=True)
    place.artifacts.mkdir(parents=True, exist_ok=True)
    for name in launcher.output_artifacts(command):
        _remove(place.artifacts / name)
    for path in (place.folder / "executor_output.json", *(place.folder / "outputs").iterdir()):
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _scratch(place: AttemptPlace) -> Iterator[Path]:
    """The folder for TMPDIR. A socket's path has at most 107 bytes, so a deep folder gets a short link to it."""
    folder = place.folder / "tmp"
    if len(os.fsencode(folder)) <= 60:
        yield folder
        return
    link = Path(tempfile.gettempdir()) / f"kfgit-{uuid.uuid4().hex[:12]}"
    link.symlink_to(folder)
    try:
        yield link
    finally:
        link.unlink(missing_ok=True)


def _read(path: str) -> bytes | None:
    """A file's bytes, at most one more than the limit. Anything but a plain file counts as missing."""
    try:
        with Path(path).open("rb") as file:
            return file.read(launcher.OUTPUT_LIMIT + 1)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise TaskFailure(f"`{path}` cannot be read: {error.strerror}") from error


def _bring_home(outputs: Outputs, place: AttemptPlace) -> None:
    """What a task wrote to a `custom_path` is stored under the artifact's URI, where its consumers look for it."""
    for artifact in (each for many in outputs.artifacts.values() for each in many if each.custom_path):
        source, target = place.folder / "work" / artifact.custom_path, Path(artifact.uri)
        if not artifact.uri.startswith("/") or source == target:
            continue
        try:
            if source.is_dir():
                shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
            elif source.exists():
                shutil.copy2(source, target)
        except OSError as error:
            raise TaskFailure(
                f"its artifact `{artifact.name}` cannot be copied from {source}: {error}"
            ) from error


# --- variables ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Variables:
    """The declared variables of the container, and the pod's uid, which marks its processes.

    `secrets` are the values to mask, `hidden` the names that hold them and where they come from.
    """

    values: Mapping[str, str]
    uid: str
    secrets: tuple[str, ...] = ()
    hidden: Mapping[str, str] = field(default_factory=dict)


def _declared(command: Execute, settings: WorkerSettings) -> Variables:
    """Constants, secrets, config maps and fields, in the driver's order; a later one wins, as on Kubernetes.

    kubelet expands `$(NAME)` in a constant with the variables before it.
    """
    pod = _pod(command, settings)
    values = {"KFP_POD_NAME": pod["metadata.name"], "KFP_POD_UID": pod["metadata.uid"]}
    if command.retries:
        values["KFP_RETRY_INDEX"] = str(command.attempt)
    for constant in command.executor.get("env") or ():
        values[str(constant["name"])] = launcher.expand(str(constant.get("value", "")), values)
    secrets, hidden = [], {}
    for kind in (_SECRET, _CONFIG_MAP):
        folder = settings.secrets if kind is _SECRET else settings.configmaps
        for name, value, source in _referenced(kind, folder, command):
            values[name] = value
            if kind is _SECRET:
                secrets.append(value)
                hidden[name] = source
    for entry in command.platform.get("fieldPathAsEnv") or ():
        values[str(entry["name"])] = _field(str(entry.get("fieldPath", "")), pod, command.platform)
    return Variables(values, pod["metadata.uid"], tuple(secrets), hidden)


@dataclass(frozen=True, slots=True)
class _Kind:
    words: str
    entries: str
    names: tuple[str, ...]
    parameter: str
    keys: tuple[str, ...]


# kubernetes_platform/proto/kubernetes_executor_config.proto: the plain name is deprecated but still written.
_SECRET = _Kind("secret", "secretAsEnv", ("secretName",), "secretNameParameter", ("secretKey",))
_CONFIG_MAP = _Kind(
    "config map",
    "configMapAsEnv",
    ("configMapName", "configName"),
    "configMapNameParameter",
    ("configMapKey",),
)


def _referenced(kind: _Kind, folder: Path, command: Execute) -> Iterator[tuple[str, str, str]]:
    """Variable, value and source for each key that a task takes from secrets or config maps."""
    for entry in command.platform.get(kind.entries) or ():
        optional = bool(entry.get("optional", False))
        name = _object_name(kind, entry, command)
        if not name:
            if optional:
                continue
            raise TaskFailure(f"the task takes variables from a {kind.words} whose name has no value")
        if "/" in name or name in (".", ".."):
            raise TaskFailure(f"{name!r} cannot be the name of a {kind.words}")
        found = env_file(folder / f"{name}.env")
        for pair in entry.get("keyToEnv") or ():
            key, variable = str(next(pair[k] for k in kind.keys if k in pair)), str(pair["envVar"])
            if found is not None and key in found:
                yield variable, found[key], f"{kind.words} {name}, key {key}"
            elif not optional:
                where = (
                    f"has no key `{key}`"
                    if found is not None
                    else f"does not exist (it needs the key `{key}`)"
                )
                raise TaskFailure(f"the {kind.words} file {folder / f'{name}.env'} {where}")


def _object_name(kind: _Kind, entry: Mapping[str, Any], command: Execute) -> str:
    """A constant, an input of the task or the output of another task, else the deprecated plain name."""
    given = entry.get(kind.parameter) or {}
    candidates = [(given.get("runtimeValue") or {}).get("constant")]
    if source := given.get("componentInputParameter"):
        candidates += [command.parameters.get(source), command.parameters.get(f"pipelinechannel--{source}")]
    if output := given.get("taskOutputParameter"):
        name = f"pipelinechannel--{output.get('producerTask')}-{output.get('outputParameterKey')}"
        candidates.append(command.parameters.get(name))
    candidates += [entry.get(name) for name in kind.names]
    return next((str(each) for each in candidates if each), "")


def env_file(path: Path) -> dict[str, str] | None:
    r"""The `KEY=VALUE` lines of a file, None if there is no file. Raises `TaskFailure` with the line that is none.

    Comments and `export` are allowed, '…' stands as it is, "…" knows \n, \t, \" and \\, and both may span lines.
    """
    try:
        text = path.read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskFailure(f"{path} cannot be read: {error}") from error
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        if (match := _ENV_LINE.match(text, position)) is None:
            raise TaskFailure(
                f"{path}, line {text.count(chr(10), 0, position) + 1}: not of the form KEY=VALUE"
            )
        position = match.end()
        if match["key"] is not None:
            found[match["key"]] = _env_value(match)
    return found


_ENV_LINE = re.compile(
    r"[ \t]*(?:(?:export[ \t]+)?(?P<key>[-._A-Za-z0-9]+)[ \t]*="
    r"[ \t]*(?:'(?P<raw>[^']*)'|\"(?P<quoted>(?:[^\"\\]|\\.)*)\"|(?P<plain>[^'\"\s#][^\n]*?|))"
    r"[ \t]*(?:(?<=[ \t'\"=])\#[^\n]*)?"
    r"|\#[^\n]*)?\r?(?:\n|\Z)",
    re.DOTALL,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def _env_value(match: re.Match[str]) -> str:
    if match["raw"] is not None:
        return match["raw"]
    if match["quoted"] is not None:
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), match["quoted"], flags=re.DOTALL)
    return match["plain"] or ""


def _pod(command: Execute, settings: WorkerSettings) -> dict[str, str]:
    host = socket.gethostname()
    task = re.sub(r"[^a-z0-9]+", "-", command.task_name.lower()).strip("-")
    return {
        "metadata.name": f"{task[:40]}-{settings.run_id[:8]}-{command.attempt}",
        "metadata.uid": str(uuid.uuid4()),
        "metadata.namespace": settings.namespace,
        "spec.nodeName": host,
        "spec.serviceAccountName": "pipeline-runner",
        "status.podIP": "127.0.0.1",
        "status.podIPs": "127.0.0.1",
        "status.hostIP": "127.0.0.1",
        "status.hostIPs": "127.0.0.1",
    }


def _field(path: str, pod: Mapping[str, str], platform: Mapping[str, Any]) -> str:
    """The downward API: a label or annotation that is not there is empty text."""
    if match := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        return str(((platform.get("podMetadata") or {}).get(match[1]) or {}).get(match[2], ""))
    if path not in pod:
        raise TaskFailure(f"the field path `{path}` is not one that Kubernetes gives to a container")
    return pod[path]


# --- the program --------------------------------------------------------------------------------------------

_ALLOWED = ("PATH", "TZ", "LANG", *environments.PROXIES, *environments.CERTIFICATES)
_ALLOWED_PREFIXES = ("LC_", "CUDA", "NVIDIA_")
_KFP_MAIN = "kfp.dsl.executor_main"


@dataclass(frozen=True, slots=True)
class _Program:
    """What is started: its arguments, its whole environment, and the container it lives in, if any."""

    argv: tuple[str, ...]
    env: Mapping[str, str]
    cwd: Path
    container: containers.Container | None = None
    engine: containers.Engine | None = None


def _program(
    attempt: _Attempt, image: str, argv: tuple[str, ...], variables: Variables, scratch: Path
) -> _Program:
    """Decides between image, environment and machine."""
    command, place, settings, hooks = attempt.command, attempt.place, attempt.settings, attempt.hooks
    work = place.folder / "work"
    engine = settings.engine
    if engine is not None and (settings.executor != "auto" or not _is_python(argv)):
        container = _container(attempt, image, argv, variables)
        env = containers.client_variables(container, os.environ)
        return _Program(containers.command_line(engine, container), env, work, container, engine)
    if _runs_kfp(argv) and not _carries_code(argv):
        raise TaskFailure(
            f"its code is inside the image `{image}`, which cannot be used without docker or podman"
        )
    host = _host_variables(place, scratch, settings)
    if _is_python(argv):
        installs, argv = _python(argv)
        workshop = environments.Workshop(
            settings.environments, settings.python, environments.find_uv(settings.path)
        )
        venv = environments.environment(installs, workshop, hooks.say, hooks.stop)
        path = f"{venv / 'bin'}{os.pathsep}{host['PATH']}"
        host |= {"VIRTUAL_ENV": str(venv), "PATH": path}
    env = {**host, **variables.values}
    _must_be_there(argv[0], env, work, command)
    return _Program(argv, env, work)


def _is_python(argv: tuple[str, ...]) -> bool:
    """Whether a task needs an environment: it installs packages first, or runs KFP's executor with code it carries."""
    return environments.pip_script(argv) is not None or (_runs_kfp(argv) and _carries_code(argv))


def _runs_kfp(argv: tuple[str, ...]) -> bool:
    return any(_KFP_MAIN in part for part in argv)


def _carries_code(argv: tuple[str, ...]) -> bool:
    return any("--component_module_path" in part for part in argv)


def _python(argv: tuple[str, ...]) -> tuple[tuple[environments.Install, ...], tuple[str, ...]]:
    """The packages of a python component. KFP itself is added where the component counts on its image for it."""
    installs, rest = environments.pip_script(argv) or ((), argv)
    names = {
        re.split(r"[^A-Za-z0-9_.-]", each, maxsplit=1)[0].lower() for i in installs for each in i.requirements
    }
    if _runs_kfp(rest) and not any(name.startswith(("kfp", "git+")) for name in names):
        installs = (*installs, environments.Install((SDK_VERSION.replace("-", "=="),), no_deps=True))
    return installs, rest


def _host_variables(place: AttemptPlace, scratch: Path, settings: WorkerSettings) -> dict[str, str]:
    """What a task may know of this machine. HOME is its own; pip refuses to change a Python that is not a venv."""
    kept = {k: v for k, v in os.environ.items() if k in _ALLOWED or k.startswith(_ALLOWED_PREFIXES)}
    path = settings.path if settings.path is not None else kept.get("PATH", os.defpath)
    home = {"HOME": str(place.folder / "home"), "TMPDIR": str(scratch), "PIP_REQUIRE_VIRTUALENV": "true"}
    return {"LANG": "C.UTF-8", **kept, "PATH": path, **home}


def _must_be_there(program: str, env: Mapping[str, str], work: Path, command: Execute) -> None:
    if shutil.which(work / program if "/" in program else program, path=env.get("PATH")) is None:
        why = (
            ""
            if command.executor.get("command")
            else "; the component has no command, and KFP takes the first of its args instead"
        )
        raise TaskFailure(f"`{program}` is not a program of this machine{why}")


def _container(
    attempt: _Attempt, image: str, argv: tuple[str, ...], variables: Variables
) -> containers.Container:
    place = attempt.place
    uris = [each.uri for many in attempt.command.artifacts.values() for each in many]
    return containers.Container(
        name=f"kfgit-{variables.uid}",
        image=image,
        argv=argv,
        variables=variables.values,
        writable=(place.folder, place.artifacts),
        readable=tuple(
            Path(uri) for uri in dict.fromkeys(uris) if uri.startswith("/") and Path(uri).exists()
        ),
        private=place.folder / "tmp" / "variables.env",
        pull=attempt.command.platform.get("imagePullPolicy"),
    )


def _execute(attempt: _Attempt, program: _Program, variables: Variables) -> None:
    """Runs the program with its output in log.txt, and says in one sentence what went wrong if it did."""
    timeout, hooks = attempt.command.timeout, attempt.hooks
    marker = f"KFP_POD_UID={variables.uid}"
    job = reaper.Job(program.argv, program.env, program.cwd, marker, timeout)
    try:
        with (attempt.place.folder / "log.txt").open("ab", buffering=0) as log, _contained(program) as also:
            masker = Masker(variables.secrets)
            output = _masked(log.fileno(), masker) if masker.needed else log.fileno()
            ended = reaper.run(job, output, hooks.stop, hooks.started, also)
            _write(log.fileno(), masker.close())
    except (OSError, ValueError) as error:
        raise TaskFailure(f"`{program.argv[0]}` cannot be started: {_cannot_start(error)}") from error
    if ended.why == "stopped":
        raise Stopped
    if ended.why == "timeout":
        raise TaskFailure(f"it ran longer than its timeout of {timeout:g} seconds and was killed")
    if ended.code != 0:
        raise TaskFailure(_bad_end(ended.code, program))


def _masked(descriptor: int, masker: Masker) -> Callable[[bytes], None]:
    return lambda data: _write(descriptor, masker.feed(data))


@contextmanager
def _contained(program: _Program) -> Iterator[Callable[[int], None]]:
    """Registers the container while its client runs, and yields what sends it a signal."""
    if program.container is None or program.engine is None:
        yield lambda _: None
        return
    engine, name = program.engine, program.container.name
    sent: list[int] = []

    def send(number: int) -> None:
        sent.append(number)
        containers.send(engine, name, number)

    containers.write_private(program.container)
    reaper.REAPER.add_container(name, engine.binary)
    try:
        yield send
    finally:
        if sent:  # the client may have gone before its container
            containers.send(engine, name, signal.SIGKILL)
        reaper.REAPER.remove_container(name)
        program.container.private.unlink(missing_ok=True)


def _cannot_start(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == 7:
        return "its arguments are too large (Linux takes at most 128 KiB in one argument, on a cluster too)"
    if isinstance(error, ValueError):
        return "an argument or a variable holds a NUL character"
    return error.strerror or str(error)


def _bad_end(code: int, program: _Program) -> str:
    if program.container is not None and code == containers.CANNOT_START:
        return f"the image `{program.container.image}` could not be started (exit code {code})"
    if code >= 0:
        return f"it ended with exit code {code}"
    with suppress(ValueError):
        return f"it was killed by {signal.Signals(-code).name} (exit code {128 - code})"
    return f"it was killed by signal {-code} (exit code {128 - code})"


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


# --- what must not be written -------------------------------------------------------------------------------


class Masker:
    """Replaces secret values in a stream by `***`, also where a value arrives in pieces.

    Values below four characters are left: masking `1` would hide nothing and spoil everything. A value of several
    lines is masked line by line too, since logs are often prefixed.
    """

    MASK = b"***"

    def __init__(self, secrets: tuple[str, ...]) -> None:
        texts = {
            line
            for secret in secrets
            for line in (secret, secret.strip(), *secret.splitlines())
            if len(line) >= 4
        }
        values = sorted((text.encode("utf-8", "surrogateescape") for text in texts), key=len, reverse=True)
        self._values = tuple(values)
        self._pattern = re.compile(b"|".join(re.escape(value) for value in values))
        self._held = b""

    @property
    def needed(self) -> bool:
        """Whether there is anything to mask."""
        return bool(self._values)

    def feed(self, data: bytes) -> bytes:
        """What can be written now: all but an end that may be the beginning of a secret."""
        data = self._held + data
        out, position = [], 0
        keep = self._possible_start(data, 0)
        for match in self._pattern.finditer(data) if self._values else ():
            if match.start() >= keep:
                break
            out += [data[position : match.start()], self.MASK]
            position = match.end()
            keep = max(keep, self._possible_start(data, position)) if position > keep else keep
        self._held = data[keep:]
        return b"".join([*out, data[position:keep]])

    def close(self) -> bytes:
        """The rest, when the stream has ended."""
        rest, self._held = self._held, b""
        return self._pattern.sub(self.MASK, rest) if self._values else rest

    def text(self, text: str) -> str:
        """A whole text, masked."""
        return (
            self._pattern.sub(self.MASK, text.encode("utf-8", "surrogateescape")).decode()
            if self._values
            else text
        )

    def _possible_start(self, data: bytes, position: int) -> int:
        """Where the longest end begins, from `position` on, that some secret begins with and continues after."""
        longest = max((len(value) for value in self._values), default=1) - 1
        for start in range(max(position, len(data) - longest), len(data)):
            if any(
                len(value) > len(data) - start and value.startswith(data[start:]) for value in self._values
            ):
                return start
        return len(data)


def _repro(program: _Program, variables: Variables, place: AttemptPlace) -> str:
    """A script that runs the attempt's program again. Secret values stand as `${NAME:?…}`, to be set by the reader."""
    masker = Masker(variables.secrets)
    lines = [
        "#!/bin/sh",
        "# Runs this attempt's program again, with what it got. Outputs go where the attempt's went.",
    ]
    lines += [
        f': "${{{name}:?set it: {source}}}"'
        for name, source in variables.hidden.items()
        if name.isidentifier()
    ]
    lines += [f"mkdir -p {shlex.quote(str(place.folder / 'tmp'))}", f"cd {shlex.quote(str(program.cwd))}"]
    shown = {**program.env, "TMPDIR": str(place.folder / "tmp")} if "TMPDIR" in program.env else program.env
    own = (
        {} if program.container is not None else {n: v for n, v in shown.items() if n not in variables.hidden}
    )
    lines.append("exec env " + ("-i " if program.container is None else "") + "\\")
    lines += [f"  {shlex.quote(f'{name}={value}')} \\" for name, value in own.items()]
    lines += [f'  {name}="${name}" \\' for name in variables.hidden if name.isidentifier()]
    lines.append("  " + " ".join(shlex.quote(part) for part in program.argv))
    return masker.text("\n".join(lines) + "\n")


# --- KFP's volume components --------------------------------------------------------------------------------

_VOLUME_IMAGES = ("argostub/createpvc", "argostub/deletepvc")


def _volume_outputs(image: str, command: Execute, settings: WorkerSettings) -> Outputs:
    """`CreatePVC` and `DeletePVC` have no program: KFP's driver does their work (`driver/k8s.go`). None is made."""
    if image == "argostub/deletepvc":
        return Outputs()
    name = (
        command.parameters.get("pvc_name")
        or f"{settings.run_name}{command.parameters.get('pvc_name_suffix') or ''}"
    )
    return Outputs({output: str(name) for output in launcher.output_parameters(command)})


# --- parity -------------------------------------------------------------------------------------------------

_NO_EFFECT = {
    "tolerations": "tolerations have no effect",
    "nodeSelector": "the node selector has no effect",
    "nodeAffinity": "node affinity has no effect",
    "podAffinity": "pod affinity has no effect",
    "pvcMount": "persistent volumes are not mounted",
    "secretAsVolume": "secrets are not mounted as files",
    "configMapAsVolume": "config maps are not mounted as files",
    "emptyDirMounts": "empty directories are not mounted",
    "genericEphemeralVolume": "ephemeral volumes are not mounted",
    "podMetadata": "pod labels and annotations are seen by nobody but the task",
    "imagePullSecret": "image pull secrets are not used",
    "securityContext": "the security context has no effect",
    "enabledSharedMemory": "the shared memory size has no effect",
    "initContainers": "init containers do not run",
}


def parity(command: Execute, settings: WorkerSettings) -> tuple[str, ...]:
    """What this task's settings mean on a cluster and not here, one sentence each. Pure; `settings` from `settle`."""
    image = str(command.executor.get("image", ""))
    if image in _VOLUME_IMAGES:
        return ("persistent volumes are neither created nor deleted",)
    argv = tuple(str(part) for part in command.executor.get("command") or ())
    try:
        is_python = _is_python(argv)
    except TaskFailure:
        is_python = True
    in_image = settings.engine is not None and (settings.executor != "auto" or not is_python)
    where = _environment_notes if is_python else _machine_notes
    notes = [] if in_image else where(image, argv)
    if not in_image and command.platform.get("imagePullPolicy"):
        notes.append("the image pull policy has no effect")
    notes += [text for key, text in _NO_EFFECT.items() if command.platform.get(key)]
    notes += _resource_notes(command.executor.get("resources") or {})
    return (*notes, *_argument_notes(command))


def _machine_notes(image: str, _: tuple[str, ...]) -> list[str]:
    return [f"the image `{image}` is not used: the task is a process of this machine"]


def _environment_notes(image: str, argv: tuple[str, ...]) -> list[str]:
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    notes = [f"the image `{image}` is not used: the task runs in an environment of Python {here}"]
    if (found := re.search(r"python[:-](\d)\.?(\d+)", image)) and f"{found[1]}.{found[2]}" != here:
        notes.append(f"the image `{image}` has Python {found[1]}.{found[2]}, the task runs on {here}")
    if _runs_kfp(argv) and "kfp" not in " ".join(argv[:3]):
        notes.append(f"the image is expected to have kfp in it; here it is {SDK_VERSION}")
    return notes


def _resource_notes(resources: Mapping[str, Any]) -> list[str]:
    notes = []
    if any(value for key, value in resources.items() if key != "accelerator"):
        notes.append("cpu and memory requests and limits are not enforced")
    if accelerator := resources.get("accelerator"):
        kind = accelerator.get("resourceType") or accelerator.get("type") or "accelerator"
        notes.append(f"`{kind}` is not reserved: the task sees what this machine has")
    return notes


def _argument_notes(command: Execute) -> Iterator[str]:
    program = [str(each) for each in command.executor.get("command") or ()]
    args = [str(each) for each in command.executor.get("args") or ()]
    unresolved = [*program, *(arg for arg in args if not launcher.is_conditional(arg))]
    if any(launcher.is_concat(part) for part in (*program, *args)):
        yield "a Concat argument is joined here, but reaches the program as JSON text on a cluster"
    if any(part.lstrip().startswith('{"IfPresent":') for part in unresolved):
        yield "an IfPresent in the command or with an output in it stays JSON text, here and on a cluster"
