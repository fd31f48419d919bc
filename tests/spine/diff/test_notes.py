"""What is told of an environment as a whole: that its policies refuse it, that its target is another one."""

from __future__ import annotations

from tests.cli.conftest import BASE, HELLO, LOCAL
from tests.comparing import PROJECT, between

FILES = {**BASE, "environments/local.yaml": LOCAL}
CLUSTER = """\
apiVersion: kfgit.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  target: {type: cluster, namespace: ml, kfp: {endpoint: "http://127.0.0.1:1"}}
"""


def test_what_policies_refuse_is_told() -> None:
    """It is no mistake, so all is compared; but nobody shall think that it can be applied."""
    policies = f"{PROJECT}spec: {{policies: {{requiredLabels: [team]}}}}\n"
    found = between(FILES, {**FILES, "kfgit.yaml": policies})
    assert found.faults == ()
    (note,) = found.notes
    assert note.startswith("a policy refuses this (policy-required-labels): ")
    assert note.endswith("(pipelines/hello.yaml:3)")
    warned = policies.replace("[team]", "{value: [team], level: warn}")
    assert between(FILES, {**FILES, "kfgit.yaml": warned}).notes == ()
    assert between({**FILES, "kfgit.yaml": policies}, FILES).notes == ()
    many = {f"pipelines/p{n}.yaml": HELLO.replace("name: hello", f"name: p{n}") for n in range(5)}
    notes = between(FILES, {**FILES, **many, "kfgit.yaml": policies}).notes
    assert notes[3:] == ("policies refuse 3 more things; kfgit validate tells all",)


def test_another_target_is_told() -> None:
    one = {**FILES, "environments/prod.yaml": CLUSTER}
    found = between(one, {**FILES, "environments/prod.yaml": CLUSTER.replace("ml,", "other,")}, "prod")
    assert found.notes[0].startswith("the target is written otherwise: if it is another one")
    assert len(found.notes) == 1
    assert between(one, {**one, "environments/prod.yaml": f"{CLUSTER}  vars: {{a: 1}}\n"}, "prod").notes == ()
