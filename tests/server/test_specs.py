"""Pipeline specs come in strictly and go out normal; files and archives that are none are told at once."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import tracemalloc
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from kfgit.ir import Package
from kfgit.server import specs, uploads
from kfgit.server.calls import Upload
from kfgit.server.errors import ApiError
from tests import counting
from tests.server.stories import STORIES

GREET = (STORIES / "packages" / "greet.yaml").read_bytes()
_SPEC = specs.from_text(GREET).spec
_SMALL = "pipelineInfo: {name: x}\nschemaVersion: 2.1.0\nroot: {dag: {tasks: {}}}\n"
_KUBERNETES = "platforms: {kubernetes: {deploymentSpec: {executors: {exec-hello: {secretAsEnv: []}}}}}\n"


def _refused(content: bytes | str) -> str:
    with pytest.raises(ApiError) as caught:
        specs.from_text(content.encode() if isinstance(content, str) else content)
    assert caught.value.status == 400
    return caught.value.detail


def test_a_spec_becomes_normal() -> None:
    written = _SMALL + "default_pipeline_root: ''\ncomponents: {}\nsdk_version: kfp-2.17.0\n"
    assert specs.from_text(written.encode()).spec == {
        "pipelineInfo": {"name": "x"},
        "schemaVersion": "2.1.0",
        "root": {"dag": {}},
        "sdkVersion": "kfp-2.17.0",
    }


def test_yaml_and_json_say_the_same() -> None:
    assert specs.from_text(json.dumps(_SPEC).encode()) == specs.from_text(GREET)
    assert specs.from_struct(_SPEC) == specs.from_text(GREET)


def test_numbers_keep_their_look() -> None:
    parameters = {name: {"parameterType": "NUMBER_DOUBLE", "defaultValue": value} for name, value in
                  {"whole": 2.0, "part": 0.5, "large": 1e300}.items()}  # fmt: skip
    root = {**_SPEC["root"], "inputDefinitions": {"parameters": parameters}}
    told = specs.from_struct({**_SPEC, "root": root}).spec["root"]["inputDefinitions"]["parameters"]
    assert {name: repr(value["defaultValue"]) for name, value in told.items()} == {
        "whole": "2", "part": "0.5", "large": "1e+300",
    }  # fmt: skip


def test_a_text_of_yaml_1_1_stays_a_text() -> None:
    written = GREET.replace(b"[echo, good morning]", b"[echo, 1e-4, 09]")
    executor = specs.from_text(written).spec["deploymentSpec"]["executors"]["exec-hello"]
    assert executor["container"]["command"] == ["echo", "1e-4", "09"]


def test_a_platform_of_kubernetes_is_kept_and_told_beside_the_spec() -> None:
    package = specs.from_text(f"{_SMALL}---\n{_KUBERNETES}".encode())
    assert package.platform is not None
    told = specs.told("test-platform", lambda: package)
    assert told == {"pipeline_spec": package.spec, "platform_spec": package.platform}
    assert specs.from_struct(told) == package


def test_what_is_neither_spec_nor_platform_is_left_alone() -> None:
    for other in ("platforms: {docker: {}}", "- a", "a: 1", "~", ""):
        package = specs.from_text(f"{other}\n---\n{_SMALL}".encode())
        assert (package.name, package.platform) == ("x", None)


def test_what_is_read_back_is_read_once() -> None:
    reads: list[None] = []

    def package() -> Package:
        reads.append(None)
        return Package("x", _SPEC)

    assert specs.told("test-once", package) == specs.told("test-once", package) == _SPEC
    assert len(reads) == 1


def test_what_the_schema_does_not_know_is_shown_as_it_is() -> None:
    newer = {**_SPEC, "colour": "red"}
    assert specs.told("test-newer", lambda: Package("x", newer)) == newer


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "empty"),
        ("# nothing\n", "empty"),
        ("a: [1, 2", "line 1"),
        ("a: 1\na: 2\n", "line 2"),
        ("\x00", "U+0000"),
        ("a: 1\n", "unknown template format"),
        ("- a\n", "unknown template format"),
        ("apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n", "Argo workflow"),
        (f"{_SMALL}colour: red\n", "colour"),
        (_SMALL.replace("2.1.0", "2.0.0"), "2.0.0"),
        ("pipelineInfo: {name: x}\nroot: {dag: {}}\n", "schema version"),
        ("schemaVersion: 2.1.0\nroot: {dag: {}}\n", "name is empty"),
        ("pipelineInfo: {name: x}\nschemaVersion: 2.1.0\n", "root"),
        (_SMALL.replace("name: x", "name: Bad_Name"), "Bad_Name"),
        (_SMALL.replace("name: x", "name: -x"), "-x"),
        (_SMALL.replace("name: x", f"name: {'x' * 129}"), "128"),
        (_SMALL.replace("name: x", "name: 3"), "pipelineInfo"),
        (f"{_SMALL}---\n{_SMALL}", "multiple pipeline specs"),
        (f"{_SMALL}---\n{_KUBERNETES}---\n{_KUBERNETES}", "multiple platform specs"),
        (f"{_SMALL}---\nplatforms: [kubernetes]\n", "platform"),
        (f"{_SMALL}---\nplatforms: {{kubernetes: {{colour: red}}}}\n", "colour"),
        (_SMALL.replace("{tasks: {}}", "[]"), "pipeline spec"),
        (_SMALL.replace("tasks: {}", "tasks: {a: {inputs: {parameters: {p: {runtimeValue: {constant: .nan}}}}}}"), ""),
        ("{" * 5000, "line 1"),
        ('{"a":' * 5000, "line 1"),
        ("pipelineInfo: *a\n", "a"),
    ],
)  # fmt: skip
def test_what_is_no_spec_is_refused(text: str, named: str) -> None:
    assert named in _refused(text)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"pipeline_spec": 3},
        {"pipeline_spec": {}},
        {"pipeline_spec": _SPEC, "platform_spec": {"platforms": 3}},
        {**_SPEC, "colour": "red"},
        {**_SPEC, "root": "dag"},
        {**_SPEC, "root": []},
        {**_SPEC, "root": {"dag": ""}},
        {**_SPEC, "components": {"c": None}},
        {**_SPEC, "components": {"c": []}},
        {**_SPEC, "components": {"c": {"dag": {"tasks": {"t": {"iteratorPolicy": []}}}}}},
        {**_SPEC, "deploymentSpec": {"executors": {"e": 10**400}}},
    ],
    ids=range(12),
)
def test_a_spec_within_a_message_is_read_as_strictly(value: dict[str, Any]) -> None:
    with pytest.raises(ApiError):
        specs.from_struct(value)


def test_an_alias_bomb_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]
    tracemalloc.start()
    with counting.lines() as counted:
        _refused("\n".join(lines))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"{counted[0]:,} lines, {peak:,} bytes")
    assert counted[0] < 10_000
    assert peak < 200 * 2**20


_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
_KEYS = st.sampled_from(
    "pipelineInfo root dag tasks components deploymentSpec executors platforms kubernetes name a inputs parameters "
    "runtimeValue constant defaultValue schemaVersion container image resources cpuLimit artifacts importer".split()
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=300)
@given(
    value=_VALUES,
    at=st.sampled_from([("root",), ("components",), ("deploymentSpec",), ("root", "dag"), ("pipelineInfo",)]),
)
def test_whatever_a_spec_holds_is_read_or_refused(value: Any, at: tuple[str, ...]) -> None:
    spec = json.loads(json.dumps(_SPEC))
    place = spec
    for key in at[:-1]:
        place = place[key]
    place[at[-1]] = value
    try:
        package = specs.from_struct(spec)
    except ApiError:
        return
    assert specs.from_struct(package.spec) == package


def _zip(files: Mapping[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


def _tar(files: Mapping[str, bytes], format_: int = tarfile.PAX_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz", format=format_) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("a.yaml", GREET),
        ("a.yml", GREET),
        ("a.json", json.dumps(_SPEC).encode()),
        ("a.zip", _zip({"pipeline.yaml": GREET})),
        ("a", _zip({"readme.txt": b"", "pipeline.yaml": GREET})),
        ("a.zip", _zip({"greet.yml": GREET, "b.yaml": b""}, zipfile.ZIP_STORED)),
        ("a.tar.gz", _tar({"pipeline.yaml": GREET})),
        ("a.tgz", _tar({"readme.txt": b"x" * 700, "pipeline.yaml": GREET})),
        ("a.tar.gz", _tar({"greet.yaml": GREET, "é" * 200: b"x"})),
        ("a.tar.gz", _tar({"greet.yaml": GREET, "long" * 60: b"x"}, tarfile.GNU_FORMAT)),
    ],
    ids=range(10),
)  # fmt: skip
def test_files_that_are_taken(filename: str, content: bytes) -> None:
    assert specs.from_text(uploads.content(Upload(filename, content))).spec == _SPEC


@pytest.mark.parametrize(
    ("filename", "content", "named"),
    [
        ("a.txt", GREET, "format"),
        ("a.YAML", GREET, "format"),
        ("", b"", "format"),
        ("a.zip", b"PK", "zip"),
        ("a.zip", b"PK\x03\x04 and more", "zip"),
        ("a.zip", _zip({}), "zip"),
        ("a.zip", _zip({"readme.txt": GREET}), "readme.txt"),
        ("a.zip", _zip({"pipeline.yaml": GREET})[:-30], "zip"),
        ("a.zip", _zip({"pipeline.yaml": GREET}, zipfile.ZIP_STORED).replace(b"alpine", b"ALPINE"), "zip"),
        ("a.zip", _zip({"pipeline.yaml": GREET}, zipfile.ZIP_BZIP2), "compressed"),
        ("a.zip", _zip({f"{n}.yaml": b"" for n in range(1001)}), "1000"),
        ("a.tar.gz", b"\x1f\x8b", "tarball"),
        ("a.tar.gz", b"\x1f\x8b and more", "tarball"),
        ("a.tar.gz", gzip.compress(b"x" * 2000), "tarball"),
        ("a.tar.gz", gzip.compress(b""), "tarball"),
        ("a.tar.gz", _tar({}), "empty"),
        ("a.tar.gz", _tar({"readme.txt": GREET}), "readme.txt"),
        ("a.tar.gz", gzip.compress(gzip.decompress(_tar({"pipeline.yaml": GREET}))[:700]), "tarball"),
        ("a.tar.gz", _tar({f"{n}.yaml": b"" for n in range(1001)}), "1000"),
    ],
    ids=range(19),
)  # fmt: skip
def test_files_that_are_refused(filename: str, content: bytes, named: str) -> None:
    with pytest.raises(ApiError, match=named) as caught:
        uploads.content(Upload(filename, content))
    assert caught.value.status == 400


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_a_bomb_is_not_unpacked(kind: str) -> None:
    nothing = {"pipeline.yaml": b" " * (100 * 2**20)}
    bomb = _zip(nothing) if kind == "zip" else _tar(nothing)
    tracemalloc.start()
    with pytest.raises(ApiError, match="bytes"):
        uploads.content(Upload(f"a.{kind}", bomb))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3 * specs.MAX_BYTES


@settings(max_examples=300)
@given(st.data())
def test_a_broken_archive_is_read_or_refused(data: st.DataObject) -> None:
    archive = bytearray(data.draw(st.sampled_from([_ZIP, _TAR])))
    for _ in range(data.draw(st.integers(1, 3))):
        archive[data.draw(st.integers(2, len(archive) - 1))] = data.draw(st.integers(0, 255))
    try:
        specs.from_text(uploads.content(Upload("a", bytes(archive))))
    except ApiError as error:
        if error.status != 400:
            raise


_ZIP, _TAR = _zip({"pipeline.yaml": GREET}, zipfile.ZIP_STORED), _tar({"pipeline.yaml": GREET})


def test_a_package_may_be_as_large_as_kfp_allows() -> None:
    large = GREET.replace(b"good morning", b"x" * (3 * 2**20))
    executor = specs.from_text(large).spec["deploymentSpec"]["executors"]["exec-hello"]
    assert len(executor["container"]["command"][1]) == 3 * 2**20
    assert "32 MiB" in _refused(b" " * (specs.MAX_BYTES + 1))
