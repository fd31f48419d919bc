"""One attempt from its folders to its outputs."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kfgit.backends.local import launcher
from kfgit.backends.local.launcher import Stopped, TaskFailure
from kfgit.backends.local.protocol import Execute, Outputs
from kfgit.backends.local.worker.execution import execute
from kfgit.backends.local.worker.mounts import mounted
from kfgit.backends.local.worker.program import decide
from kfgit.backends.local.worker.repro import repro
from kfgit.backends.local.worker.settings import Attempt, AttemptPlace, Hooks, WorkerSettings, settle
from kfgit.backends.local.worker.variables import declared
from kfgit.backends.local.worker.volumes import VOLUME_IMAGES, volume_outputs


def run_attempt(command: Execute, place: AttemptPlace, settings: WorkerSettings, hooks: Hooks) -> Outputs:
    """Runs one attempt to its end. Raises `TaskFailure` if the task is to blame, `Stopped` if `hooks.stop` was set."""
    attempt = Attempt(command, place, settle(settings), hooks)
    if hooks.stop.is_set():
        raise Stopped
    if (image := str(command.executor.get("image", ""))) in VOLUME_IMAGES:
        return volume_outputs(image, command, settings)
    layout = launcher.Layout(place.folder / "executor_output.json", place.folder / "outputs", place.artifacts)
    given = launcher.executor_input(command, layout)
    _prepare(command, place)
    (place.folder / "executor_input.json").write_text(launcher.to_json(given) + "\n")
    variables = declared(command, attempt.settings)
    argv = launcher.arguments(command, given, variables.values)
    image = launcher.fill(image, launcher.placeholders(given))
    with _scratch(place) as scratch, mounted(attempt) as mounts:
        variables = mounts.masked(variables)
        program = decide(attempt, image, argv, variables, scratch, mounts)
        (place.folder / "repro.sh").write_text(repro(program, variables, place))
        execute(attempt, program, variables)
        written = launcher.parse_output(_read(str(layout.output_file)))
        outputs = launcher.collect(command, given, written, _read)
        _bring_home(outputs, place)
    shutil.rmtree(place.folder / "tmp", ignore_errors=True)
    return outputs


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
