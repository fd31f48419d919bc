"""A program of this machine that sees volumes at their paths: started in a mount namespace of its own (Linux).

Run as a script before the program, which it becomes. Nothing of it is seen outside: where a mount path does not exist,
its nearest folder is covered by one in memory that shows the same entries and the path. Who is not root becomes so in a
user namespace only to mount, with the same user and group as outside (user_namespaces(7), mount_namespaces(7)). It
imports no module of kfgit, so that it starts at once.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _PRIVATE = 4096 | 16384, (1 << 18) | 16384  # both for all that is mounted below
# A folder with more entries is not covered: each would be a mount.
_MOST_ENTRIES = 500


def possible(paths: list[str]) -> bool:
    """Whether all of these could be shown on this machine, as far as their folders go."""
    covered = {_nearest(Path(path)) for path in paths if not Path(path).is_dir()}
    try:
        return all(sum(1 for _ in folder.iterdir()) <= _MOST_ENTRIES for folder in covered)
    except OSError:
        return False


def _nearest(path: Path) -> Path:
    return path if path.is_dir() else _nearest(path.parent)


def _main(spec: str, program: list[str]) -> None:
    """`spec` is JSON: a `stage` to work in, and `volumes`, folders by their paths, null for memory."""
    told = json.loads(spec)
    volumes: dict[str, str | None] = told["volumes"]
    here = Path.cwd()
    _enter()
    root = ""
    missing = [Path(path) for path in volumes if not Path(path).is_dir()]
    covered = sorted({_nearest(path) for path in missing}, key=lambda folder: -len(str(folder)))
    for number, folder in enumerate(covered):
        cover = Path(told["stage"], str(number))
        _cover(folder, cover, [path for path in missing if _nearest(path) == folder])
        if folder == Path("/"):
            root = str(cover)
        else:
            _mount(str(cover), str(folder), _BIND)
    for path in sorted(volumes, key=lambda path: path.count("/")):
        Path(root + path).mkdir(parents=True, exist_ok=True)
        _volume(volumes[path], root + path)
    if root:
        os.chroot(root)
    os.chdir(here)
    os.execvp(program[0], program)  # noqa: S606 - the program of the task, which needs no shell


def _enter() -> None:
    user, group = os.geteuid(), os.getegid()
    if user != 0 or _libc.unshare(_NEW_MOUNTS) != 0:
        _check(_libc.unshare(_NEW_MOUNTS | _NEW_USER), "a namespace cannot be made")
        for name, text in {
            "setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"
        }.items():  # fmt: skip
            Path("/proc/self", name).write_text(text)
    _mount("none", "/", _PRIVATE)


def _cover(folder: Path, cover: Path, paths: list[Path]) -> None:
    """Shows at `cover` what is in `folder`, and `paths` below it."""
    cover.mkdir(parents=True, exist_ok=True)
    _mount("tmpfs", str(cover), 0, "tmpfs", "mode=755")
    for source in folder.iterdir():
        target = cover / source.name
        if source.is_symlink():
            target.symlink_to(source.readlink())
            continue
        if source.is_dir():
            target.mkdir()
        else:
            target.touch()
        _mount(str(source), str(target), _BIND)
    for path in paths:
        (cover / path.relative_to(folder)).mkdir(parents=True, exist_ok=True)


def _volume(source: str | None, target: str) -> None:
    if source is None:
        _mount("tmpfs", target, 0, "tmpfs")
        return
    Path(source).mkdir(parents=True, exist_ok=True)
    _mount(source, target, _BIND)


_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, flags: int, kind: str = "none", data: str = "") -> None:
    texts = [os.fsencode(text) for text in (source, target, kind)]
    done = _libc.mount(*texts, ctypes.c_ulong(flags), data.encode())
    _check(done, f"{source} cannot be mounted at {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    try:
        _main(sys.argv[1], sys.argv[2:])
    except OSError as fault:
        sys.exit(f"the volumes of the task cannot be mounted: {fault}")
