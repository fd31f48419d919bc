"""Runs a program with its output in log.txt, and says in one sentence what went wrong if it did."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress

from kfgit.backends.local import containers, processes
from kfgit.backends.local.launcher import Stopped, TaskFailure
from kfgit.backends.local.reaping import REAPER
from kfgit.backends.local.worker.masking import Masker
from kfgit.backends.local.worker.memory import Bound, ContainerBound, bounded, limit
from kfgit.backends.local.worker.program import Program
from kfgit.backends.local.worker.settings import Attempt
from kfgit.backends.local.worker.variables import Variables


def execute(attempt: Attempt, program: Program, variables: Variables) -> None:
    """Runs the program with its output in log.txt, and says in one sentence what went wrong if it did."""
    timeout, hooks = attempt.command.timeout, attempt.hooks
    marker = f"KFP_POD_UID={variables.uid}"
    try:
        with (
            (attempt.place.folder / "log.txt").open("ab", buffering=0) as log,
            _contained(program) as also,
            _bounded(attempt, program, variables) as bound,
        ):
            argv = (*bound.before, *program.argv)
            job = processes.Job(argv, program.env, program.cwd, marker, timeout)
            masker = Masker(variables.secrets)
            output = _masked(log.fileno(), masker) if masker.needed else log.fileno()
            ended = processes.run(job, output, hooks.stop, hooks.started, also)
            _write(log.fileno(), masker.close())
            killed = bound.told(ended.code)
    except (OSError, ValueError) as error:
        raise TaskFailure(f"`{program.argv[0]}` cannot be started: {_cannot_start(error)}") from error
    if ended.why == "stopped":
        raise Stopped
    if ended.why == "timeout":
        raise TaskFailure(f"it ran longer than its timeout of {timeout:g} seconds and was killed")
    if ended.code != 0:
        raise TaskFailure(killed or _bad_end(ended.code, program))


def _bounded(
    attempt: Attempt, program: Program, variables: Variables
) -> AbstractContextManager[Bound | ContainerBound]:
    """The limits of a process; those of a container are its engine's affair."""
    if program.container is None:
        return bounded(attempt, variables.uid)
    return nullcontext(ContainerBound(limit(attempt.command, "memory")))


def _masked(descriptor: int, masker: Masker) -> Callable[[bytes], None]:
    return lambda data: _write(descriptor, masker.feed(data))


@contextmanager
def _contained(program: Program) -> Iterator[Callable[[int], None]]:
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
    REAPER.add_container(name, engine.binary)
    try:
        yield send
    finally:
        if sent:  # the client may have gone before its container
            containers.send(engine, name, signal.SIGKILL)
        REAPER.remove_container(name)
        program.container.private.unlink(missing_ok=True)


def _cannot_start(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.errno == 7:
        return "its arguments are too large (Linux takes at most 128 KiB in one argument, on a cluster too)"
    if isinstance(error, ValueError):
        return "an argument or a variable holds a NUL character"
    return error.strerror or str(error)


def _bad_end(code: int, program: Program) -> str:
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
