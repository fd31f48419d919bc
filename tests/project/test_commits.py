"""A project read from a commit is the project that the folder held, and nothing of a hostile one runs or costs much."""

from __future__ import annotations

import os
import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from subprocess import CalledProcessError

import pytest

from kfgit import driver
from kfgit.backend import MachineFault, NotFound, Refused
from kfgit.diagnostics import Diagnostic
from kfgit.project import Content, Stamp, plumbing
from kfgit.project.commits import Commit, opened
from tests.counting import lines
from tests.project.repository import PROJECT, Git, repository, write

PIPELINE = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: train}
spec:
  tasks:
    one: {component: {container: {image: "e.com/a:1", script: echo}}}
"""
PYTHON = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: fit}
spec: {python: {file: ../src/fit.py, function: fit}}
"""
FILES = {
    "pipelines/train.yaml": PIPELINE,
    "components/fit.yaml": PYTHON,
    "src/fit.py": "def fit() -> None:\n    pass\n",
}
SHIPPED = Path(__file__).parent.parent.parent


@pytest.fixture
def git(tmp_path: Path) -> Git:
    return repository(tmp_path / "repo", FILES)


def told(commit: Commit, environment: str = "local") -> list[tuple[str, str]]:
    """Codes and places of all that is wrong."""
    read = driver.load_from(commit)
    found = (*read.diagnostics, *driver.check(read, environment).diagnostics)
    return [(d.code, d.span.start()) for d in found]


def paths(commit: Commit) -> list[str]:
    return [file.path for file in driver.load_from(commit).tree.files]


# --- the same as the folder


@pytest.mark.parametrize("below", ["", "ml/", "ml/de ep/", "ml\nx/"])
def test_a_commit_reads_as_the_folder_it_was_made_of(tmp_path: Path, below: str) -> None:
    files = {
        str(path.relative_to(SHIPPED)): path.read_bytes()
        for name in ("pipelines", "components", "environments")
        for path in (SHIPPED / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    git = repository(tmp_path / "repo", {**files, "kfgit.yaml": (SHIPPED / "kfgit.yaml").read_bytes()}, below)
    root = git.root / below
    folder = driver.load(root)
    with opened(root) as commit:
        read = driver.load_from(commit)
        assert read.tree.files == folder.tree.files
        assert read.documents == folder.documents
        assert [d for d in read.diagnostics if d.severity == "error"] == []
        for environment in folder.environments:
            one, other = driver.check(folder, environment), driver.check(read, environment)
            assert one.diagnostics == other.diagnostics
            assert driver.resources(one.value) == driver.resources(other.value)


def test_the_folder_does_not_count(git: Git) -> None:
    write(git.root, {"pipelines/train.yaml": "nonsense: [", "pipelines/new.yaml": PIPELINE})
    (git.root / "src/fit.py").unlink()
    with opened(git.root) as commit:
        assert told(commit) == []
        assert paths(commit) == ["kfgit.yaml", "components/fit.yaml", "pipelines/train.yaml"]
        assert commit.content("src/fit.py") == Content(FILES["src/fit.py"].encode(), Stamp(28, 0, 0, 0))


def test_an_earlier_commit_a_branch_and_a_tag(git: Git) -> None:
    first = git("rev-parse", "HEAD")
    git("tag", "-a", "v1", "-m", "one")
    second = git.commit({"pipelines/two.yaml": PIPELINE.replace("train", "two")})
    git("branch", "other", first)
    for rev, found, branch in (
        (None, second, "main"),
        ("HEAD", second, "main"),
        ("main", second, "main"),
        ("HEAD~1", first, None),
        ("v1", first, None),
        ("other", first, "other"),
        (first[:12], first, None),
    ):
        with opened(git.root, rev) as commit:
            assert (commit.id, commit.branch) == (found, branch)
            assert ("pipelines/two.yaml" in paths(commit)) is (found == second)
            assert commit.git() == {"sha": found, "branch": branch, "tag": "v1" if found == first else None}


def test_templates_see_the_commit(git: Git) -> None:
    write(
        git.root,
        {
            "pipelines/train.yaml": PIPELINE.replace(
                "name: train", "name: train, description: '{{ git.sha }}'"
            )
        },
    )
    sha = git.commit()
    git.commit({"README.md": "more"})
    with opened(git.root, sha) as commit:
        checkout = driver.check(driver.load_from(commit), "local").value
        assert checkout.project.project.pipelines["train"].description == sha


def test_another_hash(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git = Git(folder)
    git("init", "--quiet", "--initial-branch=main", "--object-format=sha256")
    sha = git.commit({"kfgit.yaml": PROJECT, **FILES})
    assert len(sha) == 64
    with opened(git.root) as commit:
        assert (commit.id, told(commit), len(paths(commit))) == (sha, [], 3)


def test_without_a_working_tree(git: Git, tmp_path: Path) -> None:
    git("clone", "--quiet", "--bare", str(git.root), str(tmp_path / "copy/.git"))
    with opened(tmp_path / "copy") as commit:
        assert (told(commit), commit.head) == ([], None)


# --- what is not there


@pytest.mark.parametrize(
    "rev",
    [
        "nowhere",
        "-h",
        "--help",
        "--output=x",
        "",
        "HEAD:kfgit.yaml",
        "HEAD^{tree}",
        "HEAD..HEAD",
        "a\nb",
        "x" * 999,
    ],
)
def test_a_revision_that_is_no_commit(git: Git, rev: str) -> None:
    with pytest.raises(NotFound), opened(git.root, rev):
        pass


def test_no_repository(tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"in no git repository.*git init"), opened(tmp_path):
        pass


def test_no_commit_yet(tmp_path: Path) -> None:
    Git(tmp_path)("init", "--quiet")
    with pytest.raises(Refused, match="no commit yet"), opened(tmp_path):
        pass


def test_no_git(git: Git, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MachineFault, match="git is not installed"), opened(git.root):
        pass


def test_what_is_not_committed_is_told(git: Git) -> None:
    git("rm", "--quiet", "--cached", "src/fit.py")
    git("commit", "--quiet", "-m", "without")
    with opened(git.root) as commit:
        read = driver.load_from(commit)
        (fault,) = driver.check(read, "local").diagnostics
    assert (fault.code, fault.message) == ("file-not-found", "there is no file `src/fit.py` in the commit")
    assert "commit it" in str(fault.help)


def test_a_project_that_is_not_committed(tmp_path: Path) -> None:
    git = Git(tmp_path)
    git("init", "--quiet")
    git.commit({"README.md": "x"})
    write(tmp_path, {"kfgit.yaml": PROJECT})
    with opened(tmp_path) as commit:
        assert told(commit) == [("file-not-found", "kfgit.yaml:1:1")]


def test_objects_that_a_partial_clone_lacks(git: Git, tmp_path: Path) -> None:
    git("config", "uploadpack.allowFilter", "true")
    git(
        "clone",
        "--quiet",
        "--no-checkout",
        "--filter=blob:none",
        f"file://{git.root}",
        str(tmp_path / "copy"),
    )
    with opened(tmp_path / "copy") as commit, pytest.raises(MachineFault, match="partial or damaged"):
        driver.load_from(commit)


# --- hostile trees


def test_links_stay_inside(git: Git) -> None:
    links = {
        "pipelines/again.yaml": "../shared/again.yaml",  # fine
        "pipelines/twice.yaml": "again-2.yaml",
        "pipelines/again-2.yaml": "../shared/../shared/two.yaml",  # fine
        "pipelines/out.yaml": "../../../../etc/passwd",
        "pipelines/whole.yaml": "/etc/passwd",
        "pipelines/round.yaml": "round.yaml",
        "pipelines/nowhere.yaml": "nowhere-at-all.yaml",
        "pipelines/folder": "../shared",
    }
    for path, target in links.items():
        (git.root / path).symlink_to(target)
    git.commit({f"shared/{name}.yaml": PIPELINE.replace("train", name) for name in ("again", "two")})
    with opened(git.root) as commit:
        read = driver.load_from(commit)
        assert {(d.code, d.span.file) for d in read.diagnostics} == {
            ("path-outside", "pipelines/out.yaml"),
            ("path-outside", "pipelines/whole.yaml"),
            ("unreadable-file", "pipelines/round.yaml"),
            ("file-not-found", "pipelines/nowhere.yaml"),
            ("symlink", "pipelines/folder"),
        }
        assert [path for path in read.files if path.startswith("pipelines/a")] == [
            "pipelines/again-2.yaml",
            "pipelines/again.yaml",
        ]
        outside = commit.content("pipelines/folder/../../x")
        assert isinstance(outside, Diagnostic)
        assert outside.code == "path-outside"


def test_a_submodule_is_told_and_not_read(git: Git, tmp_path: Path) -> None:
    other = repository(tmp_path / "other", {"more.yaml": PIPELINE.replace("train", "more")})
    git("submodule", "--quiet", "add", str(other.root), "pipelines/shared")
    git.commit()
    with opened(git.root) as commit:
        assert told(commit) == [("submodule", "pipelines/shared:1:1")]
        found = commit.content("pipelines/shared/more.yaml")
        assert isinstance(found, Diagnostic)
        assert "submodule" in found.message


def test_pointers_of_lfs(git: Git) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    git.commit({"pipelines/big.yaml": pointer, "pipelines/big.yaml.j2": pointer, "src/fit.py": pointer})
    with opened(git.root) as commit:
        assert told(commit) == [
            ("lfs-pointer", "pipelines/big.yaml:1:1"),
            ("lfs-pointer", "pipelines/big.yaml.j2:1:1"),
            ("lfs-pointer", "components/fit.yaml:4:23"),
        ]


def test_names_with_anything_in_them(git: Git) -> None:
    names = [
        "a\nb.yaml",
        "-x.yaml",
        "ü.yaml",
        "tab\t.yaml",
        '"q".yaml',
        "sp ace.yaml",
        os.fsdecode(b"\xff.yaml"),
    ]
    git.commit({f"pipelines/{name}": PIPELINE.replace("train", f"p{n}") for n, name in enumerate(names)})
    with opened(git.root) as commit:
        assert told(commit) == []
        assert set(paths(commit)) >= {f"pipelines/{name}" for name in names}
        assert driver.load_from(commit).tree.files == driver.load(git.root).tree.files


def test_names_that_git_itself_would_not_write(git: Git) -> None:
    """`mktree` refuses them, so the objects are written by hand."""
    blob = bytes.fromhex(git.blob(PIPELINE.encode()))
    body = b"".join(b"100644 " + name + b"\0" + blob for name in (b"..", b"../out.yaml", b".", b"ok.yaml"))
    try:
        inner = git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", input=body)
    except CalledProcessError:
        pytest.skip("this git writes no such tree")
    top = git.tree({"kfgit.yaml": ("100644", git.blob(PROJECT.encode())), "pipelines": ("040000", inner)})
    git.made(top)
    with opened(git.root) as commit:
        assert paths(commit) == ["kfgit.yaml", "pipelines/ok.yaml"]


def test_a_hundred_thousand_files(git: Git) -> None:
    blob = git.blob(PIPELINE.encode())
    many = git.tree({f"{n:06}.yaml": ("100644", blob) for n in range(100_000)})
    git.made(git.tree({"kfgit.yaml": ("100644", git.blob(PROJECT.encode())), "pipelines": ("040000", many)}))
    with lines() as counted, opened(git.root) as commit:
        assert told(commit) == [("too-many-files", "kfgit.yaml:1:1")]
    print(f"{counted[0]:,} lines")
    assert counted[0] < 10_000_000


def test_a_tree_that_holds_itself_many_times(git: Git) -> None:
    """Ten folders with the same ten folders, eight times: 10^8 files in nine objects."""
    tree = git.tree({"x.yaml": ("100644", git.blob(PIPELINE.encode()))})
    for _ in range(8):
        tree = git.tree({f"{n}": ("040000", tree) for n in range(10)})
    git.made(git.tree({"kfgit.yaml": ("100644", git.blob(PROJECT.encode())), "pipelines": ("040000", tree)}))
    with lines() as counted, opened(git.root) as commit:
        assert told(commit) == [("too-many-files", "kfgit.yaml:1:1")]
    print(f"{counted[0]:,} lines")
    assert counted[0] < 10_000_000


def test_a_huge_blob_is_not_unpacked(git: Git) -> None:
    git("config", "core.compression", "1")
    git.commit({"pipelines/huge.yaml": b"a: " + b"x" * 300_000_000, "src/fit.py": b"# " + b"x" * 60_000_000})
    (git.root / "pipelines/huge.yaml").unlink()
    tracemalloc.start()
    try:
        with opened(git.root) as commit:
            assert told(commit) == [
                ("yaml-too-large", "pipelines/huge.yaml:1:1"),
                ("python-too-large", "components/fit.yaml:4:48"),
            ]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    print(f"{peak:,} bytes")
    assert peak < 20 * 2**20


def test_much_yaml_together_and_what_is_asked_after_it(git: Git) -> None:
    blobs = [git.blob(b"# %d " % n + b"x" * 1_900_000) for n in range(50)]
    many = git.tree({f"{n:02}.yaml": ("100644", blob) for n, blob in enumerate(blobs)})
    small = git.blob(b"small")
    top = {
        "kfgit.yaml": ("100644", git.blob(PROJECT.encode())),
        "pipelines": ("040000", many),
        "s": ("100644", small),
    }
    git.made(git.tree(top))
    with opened(git.root) as commit:
        assert ("too-many-files", "kfgit.yaml:1:1") in told(commit)
        assert commit.content("s") == Content(b"small", Stamp(5, 0, 0, 0))


# --- nothing runs, and nothing else is read


@pytest.fixture
def alarm(tmp_path: Path) -> Iterator[Path]:
    """A program that must not run: it leaves a file behind."""
    program, trace = tmp_path / "alarm.sh", tmp_path / "it-ran"
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >> '{trace}'\ncat\nexit 1\n")
    program.chmod(0o755)
    yield program
    assert not trace.exists(), trace.read_text()


def test_no_program_of_the_repository_runs(git: Git, alarm: Path) -> None:
    git.commit({".gitattributes": "*.yaml filter=evil diff=evil\n*.py filter=lf=s\n"})
    for name, value in {
        "core.fsmonitor": str(alarm),
        "core.hooksPath": str(alarm.parent),
        "core.sshCommand": str(alarm),
        "core.pager": str(alarm),
        "core.alternateRefsCommand": str(alarm),
        "filter.evil.clean": str(alarm),
        "filter.evil.smudge": str(alarm),
        "filter.evil.process": str(alarm),
        "filter.evil.required": "true",
        "filter.lf=s.clean": str(alarm),
        "diff.evil.textconv": str(alarm),
        "diff.external": str(alarm),
        "credential.helper": f"!{alarm}",
        "protocol.ext.allow": "always",
        "remote.origin.url": f"ext::{alarm}",
        "remote.origin.promisor": "true",
        "extensions.partialClone": "origin",
        "gpg.program": str(alarm),
        "alias.cat-file": f"!{alarm}",
        "alias.status": f"!{alarm}",
    }.items():
        git("config", name, value)
    for hook in ("post-index-change", "post-checkout", "fsmonitor-watchman"):
        shutil.copy(alarm, git.root / ".git/hooks" / hook)
    for path in FILES:
        os.utime(git.root / path, (1, 1))  # git must look at what they hold
    from kfgit.project import doubts

    with opened(git.root) as commit:
        assert told(commit) == []
        assert commit.git()["sha"] == commit.id
        assert doubts.of_checkout(commit, None, "main") == ()
        assert doubts.of_history(commit, "0" * 40)


def test_objects_are_what_they_are(git: Git) -> None:
    """git-replace(1) and grafts put others in their place."""
    first = git("rev-parse", "HEAD")
    second = git.commit({"pipelines/train.yaml": PIPELINE.replace("echo", "true")})
    git("replace", second, first)
    git("replace", git("rev-parse", f"{second}:pipelines/train.yaml"), git.blob(b"kind: Evil\n"))
    (git.root / ".git/info").mkdir(exist_ok=True)
    (git.root / ".git/info/grafts").write_text(f"{second}\n")
    from kfgit.project import doubts

    with opened(git.root) as commit:
        found = commit.content("pipelines/train.yaml")
        assert isinstance(found, Content)
        assert found.bytes == PIPELINE.replace("echo", "true").encode()
        assert doubts.of_history(commit, first) == ()


def test_variables_of_others_lead_nowhere_else(
    git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a hook git itself says where the repository is, and that is another one for what the hook starts."""
    other = repository(tmp_path / "other", {"pipelines/other.yaml": PIPELINE})
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_DIR", str(other.root / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other.root))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other.root / ".git/index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other.root / ".git/objects"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'core.fsmonitor=true'")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    monkeypatch.setenv("GIT_TRACE", str(trace))
    with opened(git.root) as commit:
        assert paths(commit) == ["kfgit.yaml", "components/fit.yaml", "pipelines/train.yaml"]
    assert not trace.exists()


def test_a_git_that_hangs_is_left(git: Git, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = tmp_path / "bin/git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    monkeypatch.setenv("PATH", f"{slow.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(plumbing, "SECONDS", 0.2)
    with pytest.raises(MachineFault, match="git did not answer"), opened(git.root):
        pass
