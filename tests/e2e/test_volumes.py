"""Claims, secrets whose names the run knows, and folders, through the door."""

from __future__ import annotations

from pathlib import Path

import pytest

from kfgit.backends.local.worker import WorkerSettings
from kfgit.backends.local.worker.mounts import shown_to_processes
from tests.e2e.door import Project
from tests.e2e.test_packages import FOLDER

SEES = WorkerSettings(Path(), Path(), Path(), "0", "run")
PIPELINE = """
    inputs: {secret: {type: string, default: store}}
    tasks:
      volume: {createPvc: {nameSuffix: -scratch, accessModes: [ReadWriteOnce], size: 1Gi}}
      write:
        component:
          container: {image: alpine, script: 'echo "$TOKEN $LEVEL" > "${KFGIT_MOUNTS:-}/data/file"'}
        kubernetes:
          secrets: [{name: $(inputs.secret), env: {TOKEN: token}}]
          configMaps: [{name: settings, env: {LEVEL: level}}]
          pvcs: [{name: $(tasks.volume.outputs.name), mountPath: /data}]
      read:
        component:
          outputs: {text: {type: string}}
          container:
            image: alpine
            script: |
              cat "${KFGIT_MOUNTS:-}/data/file" > $(outputs.text.path)
              cat "${KFGIT_MOUNTS:-}/settings/level" > "${KFGIT_MOUNTS:-}/scratch/level"
              cp "${KFGIT_MOUNTS:-}/scratch/level" "${KFGIT_MOUNTS:-}/corpus/level"
        after: [write]
        kubernetes:
          pvcs: [{name: $(tasks.volume.outputs.name), mountPath: /data}, {name: corpus, mountPath: /corpus}]
          configMaps: [{name: settings, mountPath: /settings}]
          emptyDirs: [{name: scratch, mountPath: /scratch}]
          nodeSelector: {disk: fast}
      drop: {deletePvc: {name: $(tasks.volume.outputs.name)}, after: [read]}
"""


def test_a_run_makes_uses_and_deletes_its_volume(project: Project) -> None:
    project.pipeline("volumes", PIPELINE)
    project.secret("other", "token=s3cr3t-value\n")
    project.secret("settings", "level=debug\n", "configmaps")
    runs = [project.run("volumes", "-p", "secret=other", "--no-cache") for _ in range(2)]
    for run in runs:
        assert set(run.states.values()) == {"SUCCEEDED"}
        assert run.out("read", "text") == "s3cr3t-value debug\n"
        assert run.out("volume", "name").endswith("-scratch")
    claims = project.root / ".kfgit/pvcs"
    assert [path.name for path in claims.iterdir()] == ["corpus"]
    assert (claims / "corpus/level").read_text() == "debug"
    notes = runs[0].document["notes"]
    begun = "the claim `corpus` is not here: it begins as the empty folder `.kfgit/pvcs/corpus`"
    assert [begun in run.document["notes"] for run in runs] == [True, False]
    assert (
        "a claim is a folder below `.kfgit/pvcs`: size, access modes and storage class have no effect"
        in notes
    )
    assert "the node selector has no effect" in notes
    hidden = "`/data` cannot be mounted for a process of this machine, which finds it at `$KFGIT_MOUNTS/data`"
    assert (hidden in notes) != shown_to_processes(SEES, ["/data", "/corpus", "/settings", "/scratch"])


def test_a_volume_of_the_run_is_new_each_time_although_its_users_are_cached(project: Project) -> None:
    project.pipeline("volumes", PIPELINE)
    project.secret("store", "token=s3cr3t-value\n")
    project.secret("settings", "level=debug\n", "configmaps")
    first, second = (project.run("volumes") for _ in range(2))
    assert first.out("volume", "name") != second.out("volume", "name")
    assert not any(task["cached"] for task in second.tasks.values())


def test_a_missing_secret_is_told(project: Project) -> None:
    project.pipeline("volumes", PIPELINE)
    project.secret("settings", "level=debug\n", "configmaps")
    run = project.run("volumes", code=7)
    assert ".kfgit/secrets/store.env does not exist" in run.tasks["write"]["error"]
    assert run.states["drop"] == "SKIPPED"
    project.write(
        "pipelines/pipeline-volumes.yaml",
        (project.root / "pipelines/pipeline-volumes.yaml").read_text().replace("$(inputs.secret)", "store"),
    )
    assert "tasks want `token` of the secret `store`" in project.kfgit("doctor", code=None).out


@pytest.mark.skipif(
    not FOLDER.is_dir() or not shown_to_processes(SEES, ["/data"]),
    reason="the folder ../shared/conformance/kfp-ir is not beside this checkout, or Linux allows no mount namespaces",
)
def test_a_package_of_the_sdk_hands_a_file_on_in_a_volume(project: Project) -> None:
    run = project.run(str(FOLDER / "pipeline_with_volume_no_cache.yaml"))
    assert run.states == dict.fromkeys(("createpvc", "producer", "consumer", "deletepvc"), "SUCCEEDED")
    assert not list((project.root / ".kfgit/pvcs").iterdir())
