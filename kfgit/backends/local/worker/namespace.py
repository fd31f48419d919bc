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

_NEW_MOUNTS, _NEW_USER = 0x00020000, 0x10000000
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
# A folder with more entries is not covered: each would be a mount.
MOST_ENTRIES = 500


def nearest(path: str) -> str:
    """The folder that must be covered to show `path`; the path itself where it is a folder already."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def possible(paths: list[str]) -> bool:
    """Whether all of these could be shown on this machine, as far as their folders go."""
    covered = {nearest(path) for path in paths if not os.path.isdir(path)}
    try:
        return all(len(os.listdir(folder)) <= MOST_ENTRIES for folder in covered)
    except OSError:
        return False


def _main(spec: str, program: list[str]) -> None:
    """`spec` is JSON: a `stage`, which is an empty folder to work in, and `volumes`, folders by their paths."""
    told = json.loads(spec)
    volumes: dict[str, str] = told["volumes"]
    here = os.getcwd()
    _enter()
    root = ""
    missing = [path for path in volumes if not os.path.isdir(path)]
    covered = sorted({nearest(path) for path in missing}, key=lambda folder: -len(folder))
    for number, folder in enumerate(covered):
        cover = os.path.join(told["stage"], str(number))
        _cover(folder, cover, [path for path in missing if nearest(path) == folder])
        if folder == "/":
            root = cover
        else:
            _mount(cover, folder, _BIND | _RECURSIVE)
    for path in sorted(volumes, key=lambda path: path.count("/")):
        os.makedirs(volumes[path], exist_ok=True)
        os.makedirs(root + path, exist_ok=True)
        _mount(volumes[path], root + path, _BIND | _RECURSIVE)
    if root:
        os.chroot(root)
    os.chdir(here)
    os.execvp(program[0], program)  # noqa: S606 - the program of the task, which needs no shell


def _enter() -> None:
    user, group = os.geteuid(), os.getegid()
    if user != 0 or _libc.unshare(_NEW_MOUNTS) != 0:
        _check(_libc.unshare(_NEW_MOUNTS | _NEW_USER), "a namespace cannot be made")
        for name, text in (
            ("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")
        ):  # fmt: skip
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text)
    _mount("none", "/", _PRIVATE | _RECURSIVE)


def _cover(folder: str, cover: str, paths: list[str]) -> None:
    os.makedirs(cover)
    _mount("tmpfs", cover, 0, "tmpfs", "mode=755")
    for name in os.listdir(folder):
        source, target = os.path.join(folder, name), os.path.join(cover, name)
        if os.path.islink(source):
            os.symlink(os.readlink(source), target)
            continue
        if os.path.isdir(source):
            os.mkdir(target)
        else:
            open(target, "x").close()
        _mount(source, target, _BIND | _RECURSIVE)
    for path in paths:
        os.makedirs(os.path.join(cover, os.path.relpath(path, folder)), exist_ok=True)


_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, flags: int, kind: str = "none", data: str = "") -> None:
    texts = [text.encode("utf-8", "surrogateescape") for text in (source, target, kind)]
    done = _libc.mount(*texts, ctypes.c_ulong(flags), data.encode())
    _check(done, f"{source} cannot be mounted at {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
