"""Volumes of attempts: claims and what mounts them, files of secrets and config maps, folders that do not stay."""

from __future__ import annotations

import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kfgit.backends.local import worker
from kfgit.backends.local.worker import AttemptPlace, TaskFailure, WorkerSettings
from kfgit.backends.local.worker.mounts import VARIABLE, shown_to_processes
from tests.backends.test_worker import DOCKER, calls, execute, fails, log, run, shell

CREATE: dict[str, Any] = {"executor": {"image": "argostub/createpvc"}}
SEES = WorkerSettings(Path("s"), Path("c"), Path("e"), "0", "run")
DELETE: dict[str, Any] = {"executor": {"image": "argostub/deletepvc"}}


@pytest.fixture
def settings(tmp_path: Path) -> WorkerSettings:
    for name in ("secrets", "configmaps"):
        (tmp_path / name).mkdir()
    folders = (tmp_path / "secrets", tmp_path / "configmaps", tmp_path / "environments")
    return WorkerSettings(*folders, "0123456789ab", "run-1", "process", namespaces=False)


@pytest.fixture
def place(tmp_path: Path) -> AttemptPlace:
    return AttemptPlace(tmp_path / "attempt-0", tmp_path / "artifacts")


@pytest.fixture
def contained(tmp_path: Path, settings: WorkerSettings) -> WorkerSettings:
    folder = tmp_path / "bin"
    folder.mkdir()
    tool = folder / "docker"
    tool.write_text(DOCKER.format(python=sys.executable, answers=0))
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return replace(settings, executor="auto", path=f"{folder}:/usr/bin:/bin")


def named(kind: str, name: str, path: str, **more: Any) -> dict[str, Any]:
    """A mount as the engine resolves it."""
    spec = {"runtimeValue": {"constant": name}}
    return {"mountPath": path, kind: name, f"{kind}Parameter": spec, **more}


def created(place: AttemptPlace, settings: WorkerSettings, given: Mapping[str, Any]) -> str:
    modes = {"access_modes": ["ReadWriteOnce"], "size": "1Gi"}
    made = run(execute(writes={"name": "s"}, given={**modes, **given}, **CREATE), place, settings)
    return str(made.parameters["name"])


def test_a_claim_is_a_folder_that_is_made_used_and_deleted(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    name = created(place, settings, {"pvc_name_suffix": "-data"})
    assert name.endswith("-data")
    assert name != created(place, settings, {"pvc_name_suffix": "-data"})
    mount = {"pvcMount": [named("pvcName", name, "/data"), named("pvcName", name, "/part", subPath="a/b")]}
    run(
        shell(f'echo one > "${VARIABLE}/data/file"; echo two > "${VARIABLE}/part/file"', platform=mount),
        place,
        settings,
    )
    assert (settings.claims / name / "file").read_text() == "one\n"
    run(shell(f'cat "${VARIABLE}/data/a/b/file"', platform=mount), place, settings)
    assert log(place).splitlines()[-1] == "two"
    run(execute(given={"pvc_name": name}, **DELETE), place, settings)
    assert not (settings.claims / name).exists()
    assert "there is no claim" in fails(execute(given={"pvc_name": name}, **DELETE), place, settings)


def test_a_claim_has_its_name_once(place: AttemptPlace, settings: WorkerSettings) -> None:
    assert created(place, settings, {"pvc_name": "corpus"}) == "corpus"
    for given, said in (
        ({"pvc_name": "corpus"}, "exists already"),
        ({"pvc_name": "a", "pvc_name_suffix": "b"}, "not both"),
        ({"pvc_name": "../a"}, "cannot be the name"),
        ({"pvc_name_suffix": "/../../a"}, "cannot be the name"),
        (
            {"pvc_name": "copy", "data_source": {"kind": "PersistentVolumeClaim", "name": "none"}},
            "no claim `none`",
        ),
    ):
        with pytest.raises(TaskFailure, match=said):
            created(place, settings, given)
    assert [path.name for path in settings.claims.iterdir()] == ["corpus"]


def test_a_claim_begins_as_a_copy_of_another(place: AttemptPlace, settings: WorkerSettings) -> None:
    (settings.claims / "corpus" / "raw").mkdir(parents=True)
    (settings.claims / "corpus" / "raw" / "file").write_text("x")
    source = {"kind": "PersistentVolumeClaim", "name": "corpus"}
    created(place, settings, {"pvc_name": "copy", "data_source": source})
    assert (settings.claims / "copy" / "raw" / "file").read_text() == "x"
    other = execute(given={"data_source": {"kind": "VolumeSnapshot", "name": "s"}}, **CREATE)
    assert worker.parity(other, settings)[1] == "the VolumeSnapshot `s` is not here: the claim begins empty"
    assert worker.parity(execute(**DELETE), settings) == ()


def test_secrets_and_config_maps_are_files_for_a_while(place: AttemptPlace, settings: WorkerSettings) -> None:
    (settings.secrets / "certs.env").write_text("tls.key='very secret\nindeed'\n")
    (settings.configmaps / "settings.env").write_text("level=debug\n")
    platform = {
        "secretAsVolume": [
            named("secretName", "certs", "/certs"), named("secretName", "none", "/none", optional=True)
        ],
        "configMapAsVolume": [named("configMapName", "settings", "/settings")],
    }  # fmt: skip
    script = (
        f'cd "${VARIABLE}"; cat certs/tls.key; ls none; printf "|"; cat settings/level; stat -c " %a" certs/*'
    )
    run(shell(script, platform=platform), place, settings)
    assert log(place) == "***|debug 600\n"
    assert not (place.folder / "mounts").exists()
    assert "very secret" not in (place.folder / "repro.sh").read_text()


@pytest.mark.parametrize(
    ("platform", "said"),
    [
        ({"secretAsVolume": [named("secretName", "none", "/a")]}, "secrets/none.env does not exist"),
        ({"configMapAsVolume": [named("configMapName", "none", "/a")]}, "configmaps/none.env does not exist"),
        ({"secretAsVolume": [{"mountPath": "/a"}]}, "whose name has no value"),
        ({"secretAsVolume": [named("secretName", "../x", "/a")]}, "cannot be the name of a secret"),
        ({"pvcMount": [named("pvcName", "../x", "/a")]}, "cannot be the name of a claim"),
        ({"pvcMount": [named("pvcName", "x", "/a", subPath="../y")]}, "leads out of the claim"),
        ({"pvcMount": [named("pvcName", "x", "/a", subPath="link/y")]}, "leads out of the claim"),
        ({"pvcMount": [named("pvcName", "x", "/..")]}, "cannot be mounted at `/`"),
        ({"pvcMount": [named("pvcName", "x", "/a"), named("pvcName", "y", "/a")]}, "two volumes at `/a`"),
        (
            {
                "pvcMount": [named("pvcName", "x", "/a")],
                "emptyDirMounts": [{"volumeName": "v", "mountPath": "/a/b"}],
            },
            "one in the other",
        ),
    ],
)
def test_volumes_that_cannot_be(
    place: AttemptPlace, settings: WorkerSettings, tmp_path: Path, platform: dict[str, Any], said: str
) -> None:
    (settings.claims / "x").mkdir(parents=True)
    (settings.claims / "x" / "link").symlink_to(tmp_path)
    assert said in fails(shell("true", platform=platform), place, settings)
    assert not (place.folder / "mounts").exists()
    assert (settings.claims / "x").is_dir()


def test_folders_of_an_attempt_go_with_it(place: AttemptPlace, settings: WorkerSettings) -> None:
    platform = {
        "emptyDirMounts": [
            {"volumeName": "v", "mountPath": "/tmp/v"},
            {"volumeName": "w", "mountPath": "/tmp/v/w"},
        ],
        "genericEphemeralVolume": [{"volumeName": "e", "mountPath": "/e", "size": "1Gi"}],
    }
    script = f'cd "${VARIABLE}"; echo a > tmp/v/a; echo b > tmp/v/w/b; echo e > e/e; find . -type f | sort'
    run(shell(script, platform=platform), place, settings)
    assert log(place).split() == ["./e/e", "./tmp/v/a", "./tmp/v/w/b"]
    assert not (place.folder / "mounts").exists()
    run(shell(f'test -z "${{{VARIABLE}:-}}"'), place, settings)


def test_a_path_cannot_lead_out_of_its_folder(place: AttemptPlace, settings: WorkerSettings) -> None:
    platform = {"emptyDirMounts": [{"volumeName": "v", "mountPath": "/../../../out"}]}
    run(shell(f'test -d "${VARIABLE}/out"', platform=platform), place, settings)
    assert not (place.folder.parent / "out").exists()


def test_a_container_gets_each_volume_at_its_path(contained: WorkerSettings, place: AttemptPlace) -> None:
    (contained.secrets / "certs.env").write_text("key=value\n")
    platform = {
        "pvcMount": [named("pvcName", "corpus", "/data", subPath="raw")],
        "secretAsVolume": [named("secretName", "certs", "/certs")],
        "emptyDirMounts": [
            {"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory", "sizeLimit": "1Gi"},
            {"volumeName": "v", "mountPath": "/data/v", "sizeLimit": "1Gi"},
        ],
    }  # fmt: skip
    command = shell(f'test -z "${{{VARIABLE}:-}}"', platform=platform)
    run(command, place, contained)
    argv, mounts = calls(contained)[-1], place.folder / "mounts"
    assert f"type=bind,source={contained.claims}/corpus/raw,target=/data" in argv
    assert f"type=bind,source={mounts}/certs,target=/certs,readonly" in argv
    assert f"type=bind,source={mounts}/data/v,target=/data/v" in argv
    assert argv[argv.index("--shm-size") + 1] == str(1 << 30)
    # Of the one in memory it has one.
    assert worker.parity(command, worker.settle(contained)) == (
        "the size limits of empty folders have no effect",
    )


@pytest.mark.skipif(
    not shown_to_processes(SEES, ["/data"]), reason="Linux lets this user make no mount namespaces"
)
def test_a_process_sees_its_volumes_where_linux_lets_it(
    place: AttemptPlace, settings: WorkerSettings, tmp_path: Path
) -> None:
    (settings.secrets / "certs.env").write_text("key=very-secret\n")
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_text("mine")
    platform = {
        "pvcMount": [
            named("pvcName", "corpus", "/kfgit-data"),
            named("pvcName", "other", "/kfgit-data/in/it"),
        ],
        "secretAsVolume": [named("secretName", "certs", f"{tmp_path}/there/certs")],
        "emptyDirMounts": [
            {"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory"},
            {"volumeName": "v", "mountPath": f"{tmp_path}/there/a/b"},
        ],
    }
    script = f"""
        test -z "${{{VARIABLE}:-}}"
        pwd; cd "$1"; cat certs/key; cat file; ls; echo x > a/b/x
        echo one > /kfgit-data/one; echo two > /kfgit-data/in/it/two
        df -P /dev/shm | tail -n 1 | cut -d " " -f 1; ls /dev/shm; echo $$$$ > "$2"
    """
    seeing = replace(settings, namespaces=None)
    command = shell(
        script,
        f"{tmp_path}/there",
        "{{$.outputs.parameters['o'].output_file}}",
        writes={"o": "i"},
        platform=platform,
    )
    run(command, place, seeing)
    assert log(place).split() == [str(place.folder / "work"), "***mine" + "a", "certs", "file", "tmpfs"]
    assert (settings.claims / "corpus/one").read_text() == "one\n"
    assert (settings.claims / "other/two").read_text() == "two\n"
    assert sorted(path.name for path in (tmp_path / "there").iterdir()) == ["file"]
    assert not Path("/kfgit-data").exists()
    assert not (place.folder / "mounts").exists()
    assert not any("KFGIT_MOUNTS" in note for note in worker.parity(command, seeing))
    assert "it ended with exit code 3" in fails(shell("exit 3", platform=platform), place, seeing)
    slow = shell("sleep 1000", platform=platform, timeout=1.0)
    assert "timeout" in fails(slow, place, seeing)


def test_a_folder_with_too_many_entries_is_not_covered(tmp_path: Path) -> None:
    for number in range(600):
        (tmp_path / f"{number}").touch()
    assert not shown_to_processes(replace(SEES, namespaces=True), [f"{tmp_path}/new"])
    assert shown_to_processes(replace(SEES, namespaces=True), [str(tmp_path)])


def test_a_process_is_told_where_its_volumes_are(settings: WorkerSettings) -> None:
    platform = {
        "pvcMount": [
            named("pvcName", "corpus", "/data"),
            named("pvcName", "corpus", "/data/raw", subPath="raw"),
        ],
        "emptyDirMounts": [{"volumeName": "shm", "mountPath": "/dev/shm", "medium": "Memory"}],
        "genericEphemeralVolume": [{"volumeName": "e", "mountPath": "/e/", "size": "1Gi"}],
        "secretAsVolume": [named("secretName", "certs", "/certs")],
    }
    assert worker.parity(shell("true", platform=platform), settings) == (
        "the image `alpine` is not used: the task is a process of this machine",
        "the claim `corpus` is not here: it begins as the empty folder `.kfgit/pvcs/corpus`",
        "ephemeral volumes are folders: size, access modes and storage class have no effect",
        "`/data` cannot be mounted for a process of this machine, which finds it at `$KFGIT_MOUNTS/data`",
        "`/data/raw` cannot be mounted for a process of this machine, which finds it at `$KFGIT_MOUNTS/data/raw`",
        "`/e` cannot be mounted for a process of this machine, which finds it at `$KFGIT_MOUNTS/e`",
        "`/dev/shm` is this machine's own",
        "`/certs` cannot be mounted for a process of this machine, which finds it at `$KFGIT_MOUNTS/certs`",
    )


@pytest.mark.skipif(
    not shown_to_processes(SEES, ["/data"]), reason="Linux lets this user make no mount namespaces"
)
def test_an_attempt_with_a_claim_can_be_run_again_by_hand(
    place: AttemptPlace, settings: WorkerSettings
) -> None:
    platform = {"pvcMount": [named("pvcName", "corpus", "/kfgit-data")]}
    run(shell("echo again >> /kfgit-data/file", platform=platform), place, replace(settings, namespaces=None))
    for _ in range(2):
        subprocess.run(["sh", str(place.folder / "repro.sh")], check=True, timeout=180)
    assert (settings.claims / "corpus/file").read_text() == "again\n" * 3
