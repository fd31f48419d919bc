"""An environment with a pin has the base documents of that commit, and everything else of what is read."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from kfgit import driver, pinning, project
from kfgit.diagnostics import Diagnostic
from kfgit.document import plain
from kfgit.driver import Checkout, Repository
from kfgit.project.commits import opened
from kfgit.source import commit_of
from tests.docs import test_pages as pages
from tests.project.repository import PROJECT, Git, repository, write

ROOT = Path(__file__).parents[2]
PIPELINE = """\
apiVersion: kfgit.dev/v1
kind: Pipeline
metadata: {name: train}
spec:
  tasks:
    one: {component: {container: {image: "e.com/a:{{ vars.tag }}", script: echo old}}}
    two: {component: fit, inputs: {n: 3}}
"""
FIT = """\
apiVersion: kfgit.dev/v1
kind: Component
metadata: {name: fit}
spec: {python: {file: ../src/fit.py, function: fit}}
"""
OLD = {
    "kfgit.yaml": PROJECT + "spec: {vars: {tag: old}}\n",
    "pipelines/train.yaml": PIPELINE,
    "components/fit.yaml": FIT,
    "src/fit.py": "def fit(n: int) -> None:\n    print('old', n)\n",
    "environments/prod/pipelines.yaml": "kind: Pipeline\nmetadata: {name: train, description: old overlay}\n",
}
NEW = {
    "kfgit.yaml": PROJECT + "spec: {vars: {tag: new}, policies: {requiredLabels: [team]}}\n",
    "pipelines/train.yaml": PIPELINE.replace("echo old", "echo new"),
    "pipelines/more.yaml": PIPELINE.replace("name: train", "name: more"),
    "src/fit.py": "def fit(n: int) -> None:\n    print('new', n)\n",
    "environments/prod/pipelines.yaml": "kind: Pipeline\nmetadata: {name: train, description: new overlay}\n",
}


def environment(name: str = "prod", pin: str | None = None, rest: str = "") -> str:
    said = f"pin: {{commit: '{pin}'}}, " if pin is not None else ""
    return (
        f"apiVersion: kfgit.dev/v1\nkind: Environment\nmetadata: {{name: {name}}}\nspec: {{{said}{rest}}}\n"
    )


HOME = "environments/prod/home.yaml"


class Story:
    """A repository with two commits, and `prod` that stays at the first one."""

    def __init__(self, folder: Path, below: str = "") -> None:
        self.below = below
        self.git = repository(folder, {**OLD, HOME: environment()}, below)
        self.root = self.git.root / below
        self.first = self.git("rev-parse", "HEAD")
        self.second = self.commit({**NEW, HOME: environment(pin=self.first)})

    def commit(self, files: Mapping[str, str]) -> str:
        return self.git.commit({f"{self.below}{path}": text for path, text in files.items()})

    @contextmanager
    def read(self, *, at_commit: bool) -> Iterator[Repository]:
        with ExitStack() as stack:
            yield (
                driver.load_from(stack.enter_context(opened(self.root)))
                if at_commit
                else driver.load(self.root)
            )


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "repo")


def sound(found: Repository, name: str = "prod") -> Checkout:
    checked = driver.check(found, name)
    assert [d for d in driver.mistakes(checked) if d.severity == "error"] == []
    return checked.value


def told(found: Repository, name: str = "prod") -> list[Diagnostic]:
    return [d for d in driver.mistakes(driver.check(found, name)) if d.severity == "error"]


def fault(root: Path, name: str = "prod") -> Diagnostic:
    (only,) = told(driver.load(root), name)
    return only


def document(found: Checkout, kind: str, name: str) -> object:
    return next(plain(d.node) for d in found.view.documents if (d.kind, d.name) == (kind, name))


# --- what comes from where


@pytest.mark.parametrize("at_commit", [False, True])
@pytest.mark.parametrize("below", ["", "ml/de ep/"])
def test_the_base_is_pinned_and_the_overlays_are_read(tmp_path: Path, below: str, *, at_commit: bool) -> None:
    story = Story(tmp_path / "repo", below)
    with story.read(at_commit=at_commit) as found:
        checkout = sound(found)
        pipelines = checkout.project.project.pipelines
        assert list(pipelines) == ["train"]
        assert pipelines["train"].description == "new overlay"
        package = str(driver.compile_all(checkout)["train"].spec)
        assert "e.com/a:old" in package
        assert "echo old" in package
        assert "print('old', n)" in package
        assert checkout.project.project.environment.policies == {"requiredLabels": ["team"]}
        assert sorted(sound(found, "local").project.project.pipelines) == ["more", "train"]
        assert found.commit == story.second


def test_places_are_written_as_git_writes_them_and_their_text_is_found(story: Story) -> None:
    story.commit({HOME: environment(pin=story.first)})
    found = driver.load(story.root)
    checkout = sound(found)
    files = {d.kind: d.file for d in checkout.view.documents}
    short = story.first[:10]
    assert files == {
        "Project": "kfgit.yaml",
        "Environment": HOME,
        "Component": f"{short}:components/fit.yaml",
        "Pipeline": f"{short}:pipelines/train.yaml",
    }
    for path in ("pipelines/train.yaml", "src/fit.py"):
        assert found.content(f"{short}:{path}") == OLD[path].encode()
        assert found.content(path) == (story.root / path).read_bytes()
    missing = found.content(f"{short}:src/nothing.py")
    assert isinstance(missing, Diagnostic)
    assert missing.span.file == f"{short}:src/nothing.py"
    found.rest()


def test_what_overlays_name_is_read_and_what_the_base_names_is_pinned(story: Story) -> None:
    overlay = "apiVersion: kfgit.dev/v1\nkind: Component\nmetadata: {name: own}\n"
    write(
        story.root,
        {
            "environments/prod/own.yaml": overlay
            + "spec: {python: {file: ../../src/fit.py, function: fit}}\n",
            "environments/prod/pipelines.yaml": "kind: Pipeline\nmetadata: {name: train}\n"
            "spec: {tasks: {three: {component: own, inputs: {n: 1}}}}\n",
        },
    )
    package = str(driver.compile_all(sound(driver.load(story.root)))["train"].spec)
    assert "print('old', n)" in package
    assert "print('new', n)" in package


def test_templates_see_the_pinned_commit_and_the_branch_that_is_read(story: Story) -> None:
    text = PIPELINE.replace(
        "name: train", "name: train, description: '{{ git.sha }} {{ git.branch }} {{ git.tag }}'"
    )
    wanted = story.commit({"pipelines/train.yaml": text, "environments/prod/pipelines.yaml": ""})
    story.git("tag", "v1")
    story.commit({HOME: environment(pin=wanted)})
    for at_commit in (False, True):
        with story.read(at_commit=at_commit) as found:
            pipeline = sound(found).project.project.pipelines["train"]
            assert pipeline.description == f"{wanted} main v1"


def test_templates_of_whole_files_come_from_there_too(story: Story) -> None:
    loop = (
        "{% for n in range(vars.many) %}\n---\napiVersion: kfgit.dev/v1\nkind: Pipeline\nmetadata: {name: p{{ n }}}\n"
        "spec: {tasks: {one: {component: fit, inputs: {n: {{ n }}}}}}\n{% endfor %}\n"
    )
    both = {
        "pipelines/many.yaml.j2": loop,
        "environments/prod/own.yaml.j2": loop.replace("name: p", "name: own"),
        "environments/other/own.yaml.j2": loop.replace("name: p", "name: other"),
        "environments/other.yaml": environment("other"),
    }
    pinned = story.commit({**both, "kfgit.yaml": PROJECT + "spec: {vars: {tag: t, many: 2}}\n"})
    story.commit(
        {
            "pipelines/many.yaml.j2": loop.replace("name: p", "name: q"),
            "kfgit.yaml": PROJECT + "spec: {vars: {tag: t, many: 3}}\n",
            HOME: environment(pin=pinned),
        }
    )
    found = driver.load(story.root)
    assert sorted(sound(found).project.project.pipelines) == ["more", "own0", "own1", "p0", "p1", "train"]
    assert {"q0", "q1", "q2", "other2"} <= sound(found, "other").project.project.pipelines.keys()


def test_sources_and_names_of_the_pinned_commit_count(story: Story) -> None:
    """Folders moved since, and the project got another name."""
    for old, new in (("pipelines", "flows"), ("components", "parts")):
        (story.root / old).rename(story.root / new)
    renamed = PROJECT.replace("demo", "other")
    renamed += "spec: {sources: [flows, parts, environments], vars: {tag: new}}\n"
    story.commit({"kfgit.yaml": renamed})
    found = driver.load(story.root)
    assert (found.name, list(sound(found).project.project.pipelines)) == ("other", ["train"])
    assert sound(found).view.documents[0].name == "other"
    assert sorted(sound(found, "local").project.project.pipelines) == ["more", "train"]


def test_each_environment_has_its_own_pin(story: Story) -> None:
    third = story.commit({"pipelines/third.yaml": PIPELINE.replace("name: train", "name: third")})
    homes = {"one": story.first, "two": story.second, "again": story.second[:9], "three": third, "none": None}
    write(story.root, {f"environments/{name}.yaml": environment(name, pin) for name, pin in homes.items()})
    found = driver.load(story.root)
    have = {name: sorted(sound(found, name).project.project.pipelines) for name in homes}
    assert have == {
        "one": ["train"],
        "two": ["more", "train"],
        "again": ["more", "train"],
        "three": ["more", "third", "train"],
        "none": ["more", "third", "train"],
    }
    assert found.pins[story.second] is found.pins[story.second[:9]]


# --- a pin to the commit at hand changes nothing


def _wanted(found: Repository, name: str) -> object:
    """What is wanted live, and what is wrong, wherever that stands."""
    checked = driver.check(found, name)
    faults = {(commit_of(d.span.file)[1], *d.span[1:], d.code, d.message) for d in driver.mistakes(checked)}
    resources = [(r.kind, r.name, r.spec, r.digest) for r in driver.resources(checked.value).value]
    return resources, faults


_API = "apiVersion: kfgit.dev/v1\n"
_WORDS = st.sampled_from(["a", "b", "c"])
_OVERLAYS = st.lists(
    st.sampled_from(
        [
            "kind: Pipeline\nmetadata: {name: train, description: over}\n",
            "kind: Pipeline\nmetadata: {name: train}\nspec: {tasks: {one: null, two: {inputs: {n: x}}}}\n",
            "kind: Component\nmetadata: {name: fit, description: over}\n",
            "kind: Schedule\nmetadata: {name: nowhere}\nspec: {pipeline: train}\n",
            f"{_API}kind: Schedule\nmetadata: {{name: daily}}\nspec: {{pipeline: train, cron: '0 1 * * *'}}\n",
        ]
    ),
    max_size=3,
    unique=True,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(overlays=_OVERLAYS, tag=_WORDS, own=st.none() | _WORDS, at_commit=st.booleans())
def test_a_pin_to_the_commit_at_hand_is_no_pin(
    tmp_path: Path, overlays: list[str], tag: str, own: str | None, *, at_commit: bool
) -> None:
    shutil.rmtree(tmp_path / "repo", ignore_errors=True)
    rest = f"vars: {{tag: {own}}}" if own else ""
    git = repository(
        tmp_path / "repo",
        {
            **OLD,
            "kfgit.yaml": PROJECT + f"spec: {{vars: {{tag: {tag}}}}}\n",
            "pipelines/train.yaml": PIPELINE.replace("echo old", "'echo {{ env.name }}'"),
            HOME: environment(rest=rest),
            "environments/prod/pipelines.yaml": "---\n".join(overlays),
        },
    )
    before = _wanted(driver.load(git.root), "prod")
    write(git.root, {HOME: environment(pin=git("rev-parse", "HEAD"), rest=rest)})
    git.commit()
    with ExitStack() as stack:
        found = (
            driver.load_from(stack.enter_context(opened(git.root))) if at_commit else driver.load(git.root)
        )
        assert _wanted(found, "prod") == before


@pytest.mark.parametrize("name", pages.PROJECTS)
def test_the_projects_of_the_docs_are_the_same_under_a_pin(name: str, tmp_path: Path) -> None:
    """Every kind and key: notebooks, packages, components of KFP v1, templates of whole files, patches."""
    pages.write(pages.PROJECTS[name], tmp_path)
    write(tmp_path, {"environments/docs.yaml": environment("docs")})
    git = Git(tmp_path)
    git("init", "--quiet", "--initial-branch=main")
    sha = git.commit()
    before = _wanted(driver.load(tmp_path), "docs")
    write(tmp_path, {"environments/docs.yaml": environment("docs", sha)})
    after = driver.load(tmp_path)
    assert _wanted(after, "docs") == before
    assert isinstance(after.pins[sha], Repository)


def test_the_example_project_is_the_same_under_a_pin(tmp_path: Path) -> None:
    """Python files, overlays and patches."""
    files = {
        str(path.relative_to(ROOT)): path.read_bytes()
        for name in ("pipelines", "components", "environments")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    git = repository(tmp_path / "repo", {**files, "kfgit.yaml": (ROOT / "kfgit.yaml").read_bytes()})
    sha = git("rev-parse", "HEAD")
    before = driver.load(git.root)
    for name in before.environments:
        home = next(d.file for d in before.documents if (d.kind, d.name) == ("Environment", name))
        text = (git.root / home).read_text()
        assert "\nspec:\n" in text
        write(git.root, {home: text.replace("\nspec:\n", f"\nspec:\n  pin: {{commit: '{sha}'}}\n")})
    after = driver.load(git.root)
    for name in before.environments:
        assert _wanted(after, name) == _wanted(before, name)
        assert {d.file[:11] for d in sound(after, name).view.documents if d.environment is None} >= {
            f"{sha[:10]}:"
        }


# --- pins that lead nowhere


def test_a_commit_that_is_not_here(story: Story) -> None:
    write(
        story.root,
        {HOME: environment(pin="f" * 40), "environments/prod/x.yaml": "kind: Run\nmetadata: {name: x}\n"},
    )
    found = fault(story.root)
    assert (found.code, found.span.start()) == ("pin-not-found", f"{HOME}:4:22")
    assert found.message == f"there is no commit `{'f' * 40}` in this clone"
    assert (
        found.help
        == "fetch the branch that has it, or mend the hash; `git log` shows the commits that are here"
    )
    assert told(driver.load(story.root), "local") == []


@pytest.mark.parametrize("name", ["branch", "tag"])
def test_branches_and_tags_do_not_count(story: Story, name: str) -> None:
    """Whoever may push a branch could move it."""
    story.git(name, "abcdef0", story.first)
    write(story.root, {HOME: environment(pin="abcdef0")})
    assert fault(story.root).message == "there is no commit `abcdef0` in this clone"
    short = story.first[:7]
    story.git(name, short, story.second)
    write(story.root, {HOME: environment(pin=short)})
    assert driver.load(story.root).commit == story.second
    assert list(sound(driver.load(story.root)).project.project.pipelines) == ["train"]


def test_what_is_no_commit(story: Story) -> None:
    story.git("tag", "-a", "v1", "-m", "one", story.first)
    for rev, kind, help_ in (
        ("v1", "tag", f"the tag's commit is {story.first}"),
        ("HEAD^{tree}", "tree", "`git log` shows commits"),
        ("HEAD:kfgit.yaml", "blob", "`git log` shows commits"),
    ):
        id_ = story.git("rev-parse", rev)
        write(story.root, {HOME: environment(pin=id_)})
        found = fault(story.root)
        assert (found.message, found.help) == (f"`{id_}` is a {kind} and not a commit", help_)


def test_digits_that_several_commits_begin_with(story: Story) -> None:
    one, other = _alike(story.git("rev-parse", "HEAD^{tree}"))
    for body in (one, other):
        story.git("hash-object", "-t", "commit", "-w", "--stdin", input=body)
    ids = [story.git("hash-object", "-t", "commit", "--stdin", input=body) for body in (one, other)]
    same = ids[0][:7]
    assert ids[1].startswith(same)
    write(story.root, {HOME: environment(pin=same)})
    found = fault(story.root)
    assert found.message == f"several commits begin with `{same}`"
    assert all(id_ in str(found.help) for id_ in ids)


def _alike(tree: str) -> tuple[bytes, bytes]:
    """Two commits whose hashes begin alike: among some ten thousand there are two with 28 equal bits."""
    known: dict[str, bytes] = {}
    for number in range(200_000):
        body = f"tree {tree}\nauthor a <a@b.c> 0 +0000\ncommitter a <a@b.c> 0 +0000\n\n{number}\n".encode()
        short = hashlib.sha1(b"commit %d\0%s" % (len(body), body)).hexdigest()[:7]
        if short in known:
            return known[short], body
        known[short] = body
    raise AssertionError("no two commits begin alike")


def test_outside_git(tmp_path: Path) -> None:
    write(tmp_path, {**OLD, HOME: environment(pin="abcdef0")})
    assert fault(tmp_path).message == "the project is in no git repository, and a pin names a commit of one"


def test_a_shallow_clone_says_how_to_fetch_the_rest(story: Story, tmp_path: Path) -> None:
    story.git("clone", "--quiet", "--depth=1", f"file://{story.git.root}", str(tmp_path / "copy"))
    found = fault(tmp_path / "copy")
    assert found.message == f"there is no commit `{story.first}` in this clone, which is shallow"
    assert "git fetch --unshallow" in str(found.help)
    assert "fetch-depth: 0" in str(found.help)
    Git(tmp_path / "copy")("fetch", "--quiet", "--unshallow")
    assert list(sound(driver.load(tmp_path / "copy")).project.project.pipelines) == ["train"]


def test_a_partial_clone_is_not_filled_in(story: Story, tmp_path: Path) -> None:
    story.git("config", "uploadpack.allowFilter", "true")
    copy = tmp_path / "copy"
    story.git("clone", "--quiet", "--filter=blob:none", f"file://{story.git.root}", str(copy))
    found = fault(copy)
    assert found.code == "pin-not-found"
    assert "partial or damaged" in found.message
    missing = Git(copy)("rev-list", "--objects", "--missing=print", story.first)
    assert "?" in missing


def test_a_commit_from_before_the_project(tmp_path: Path) -> None:
    folder = tmp_path / "repo"
    folder.mkdir()
    git = Git(folder)
    git("init", "--quiet", "--initial-branch=main")
    first = git.commit({"README.md": "nothing yet"})
    git.commit({**OLD, HOME: environment(pin=first)})
    found = fault(folder)
    assert found.message == f"commit {first[:10]} has no project here: kfgit.yaml is missing in it, or broken"
    second = git.commit({"kfgit.yaml": "kind: ["})
    git.commit({**OLD, HOME: environment(pin=second)})
    assert fault(folder).code == "pin-not-found"


def test_what_the_other_environments_have_does_not_count(story: Story) -> None:
    """Only a pin whose commit is there hides today's mistakes, and only those of base documents."""
    broken = {"pipelines/broken.yaml": "kind: [", "pipelines/train.yaml": PIPELINE.replace("fit", "nobody")}
    write(story.root, broken)
    found = driver.load(story.root)
    assert told(found) == []
    assert {d.code for d in told(found, "local")} == {"yaml-syntax", "unknown-component"}
    write(story.root, {"environments/prod/broken.yaml": "kind: ["})
    assert [d.span.file for d in told(driver.load(story.root))] == ["environments/prod/broken.yaml"]
    write(story.root, {"environments/prod/broken.yaml": "", "kfgit.yaml": PROJECT + "spec: {varz: 1}\n"})
    assert [d.code for d in told(driver.load(story.root))] == ["unknown-key"]
    write(story.root, {"kfgit.yaml": "kind: ["})
    assert [d.code for d in told(driver.load(story.root))] == ["yaml-syntax"]


def test_mistakes_of_the_pinned_commit_are_told_of_it(story: Story) -> None:
    pinned = story.commit(
        {
            "kfgit.yaml": PROJECT + "spec: {vars: {tag: t, a-b: 1}, varz: 1}\n",
            "pipelines/broken.yaml": "kind: [\n",
            "pipelines/other.yaml": PIPELINE.replace("name: train", "name: other").replace("fit", "nobody"),
            "pipelines/unread.yaml": PIPELINE.replace("name: train", "name: unread").replace("tag", "gone"),
            "components/fit.yaml": FIT.replace("fit.py", "away.py"),
        }
    )
    story.commit(
        {**NEW, "pipelines/broken.yaml": "", "components/fit.yaml": FIT, HOME: environment(pin=pinned)}
    )
    short = pinned[:10]
    assert {(d.code, d.span.file.removeprefix(f"{short}:")) for d in told(driver.load(story.root))} == {
        ("bad-format", "kfgit.yaml"),
        ("yaml-syntax", "pipelines/broken.yaml"),
        ("unknown-component", "pipelines/other.yaml"),
        ("unknown-variable", "pipelines/unread.yaml"),
        ("file-not-found", "components/fit.yaml"),
    }


def test_an_overlay_over_what_was_not_there_yet(story: Story) -> None:
    overlay = "kind: Pipeline\nmetadata: {name: more, description: over}\n"
    write(story.root, {"environments/prod/more.yaml": overlay})
    found = fault(story.root)
    assert (found.code, found.span.file) == ("overlay-without-target", "environments/prod/more.yaml")


# --- what is read stays bounded and inside


def test_nothing_outside_of_the_pinned_commit_is_read(story: Story) -> None:
    (story.root.parent / "secret.py").write_text("def fit(n: int) -> None: ...\n")
    blob = story.git.blob(b"../../secret.py")
    top = story.git("ls-tree", story.first).splitlines()
    entries = {line.split("\t")[1]: (line.split()[0], line.split()[2]) for line in top}
    entries["src"] = ("040000", story.git.tree({"fit.py": ("120000", blob)}))
    pinned = story.git("commit-tree", "-m", "x", story.git.tree(dict(sorted(entries.items()))))
    write(story.root, {HOME: environment(pin=pinned)})
    found = fault(story.root)
    assert (found.code, found.span.file) == ("path-outside", f"{pinned[:10]}:components/fit.yaml")
    away = story.commit({"components/fit.yaml": FIT.replace("../src/fit.py", "../../secret.py")})
    write(story.root, {HOME: environment(pin=away)})
    found = fault(story.root)
    assert (found.code, found.message) == ("path-outside", "`../../secret.py` is outside the repository")


def test_a_document_of_today_names_no_file_of_a_pin(story: Story) -> None:
    """`1a2b3c4d5e:src/fit.py` is how places are told and no path."""
    text = FIT.replace("name: fit", "name: away").replace(
        "../src/fit.py", f"../{story.first[:10]}:src/fit.py"
    )
    write(story.root, {"environments/prod/away.yaml": text.replace("../", "../../")})
    assert [d.code for d in told(driver.load(story.root))] == ["path-outside"]


def test_all_pins_together_are_bounded(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = {"a": story.first, "b": story.second, "c": story.first, "d": story.first[:8]}
    write(story.root, {f"environments/{name}.yaml": environment(name, pin) for name, pin in homes.items()})
    for module, name, most in ((project, "MAX_TOTAL", 700), (pinning, "MAX_PINS", 1)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, most)
            found = driver.load(story.root)
            faults = {home: [(d.code, d.span.file) for d in told(found, home)] for home in homes}
            assert faults == {"a": [], "b": [("too-many-pins", "environments/b.yaml")], "c": [], "d": []}
    found = driver.load(story.root)
    assert [told(found, home) for home in homes] == [[], [], [], []]
