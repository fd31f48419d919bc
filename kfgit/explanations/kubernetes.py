"""What a task wants of Kubernetes. Volumes, variables and nodes."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Kubernetes"

ENTRIES = {
    "bad-mount": Explanation(
        "a volume that cannot be mounted so",
        "A mount path is an absolute path without `:` and `..`, and not one that KFP uses in every pod "
        "(`/gcs`, `/s3`, `/minio`, `/kfp-launcher`, `/kfp-workspace` …). A sub-path stays inside the volume. "
        "KFP names a volume after its Secret, ConfigMap or claim, so such a name has no dots and at most 63 "
        "characters.",
        wrong="pvcs: [{name: corpus, mountPath: /data, subPath: ../other}]",
        right="pvcs: [{name: corpus, mountPath: /data, subPath: churn}]",
    ),
    "duplicate-mount": Explanation(
        "two volumes at one path",
        "Each path of a container shows one volume; KFP would let the last one win.",
        wrong="pvcs: [{name: a, mountPath: /data}, {name: b, mountPath: /data}]",
        right="pvcs: [{name: a, mountPath: /data/a}, {name: b, mountPath: /data/b}]",
    ),
    "duplicate-volume": Explanation(
        "two volumes of one name",
        "KFP names volumes after what they hold and merges those of one name, so a Secret and a ConfigMap "
        "of one name become a volume that Kubernetes refuses. The same claim at two paths is fine.",
        wrong=(
            "secrets: [{name: settings, mountPath: /secret}]\nconfigMaps: [{name: settings, mountPath: /settings}]"
        ),
        right=(
            "secrets: [{name: settings-secret, mountPath: /secret}]\n"
            "configMaps: [{name: settings, mountPath: /settings}]"
        ),
    ),
    "duplicate-variable": Explanation(
        "a variable that is set twice",
        "A variable has one value. Over the component's own variables and the pipeline's defaults the task "
        "wins, but here one task says it twice.",
        wrong="env: {TOKEN: a}\nkubernetes: {secrets: [{name: store, env: {TOKEN: token}}]}",
        right="kubernetes: {secrets: [{name: store, env: {TOKEN: token}}]}",
    ),
    "bad-access-modes": Explanation(
        "access modes that exclude each other",
        "`ReadWriteOncePod` gives a volume to one pod alone, so it goes with no mode that gives it to nodes.",
        wrong="createPvc: {accessModes: [ReadWriteOncePod, ReadOnlyMany], size: 1Gi}",
        right="createPvc: {accessModes: [ReadWriteOncePod], size: 1Gi}",
    ),
    "bad-affinity": Explanation(
        "an affinity that says nothing, or that Kubernetes refuses",
        "A term has requirements: `In` and `NotIn` with values, `Exists` and `DoesNotExist` without, `Gt` and "
        "`Lt` with one whole number as text. `matchFields` knows `metadata.name` and one value. An empty term KFP "
        "would leave out in silence.",
        wrong="nodeAffinity: [{matchExpressions: [{key: zone, operator: In}]}]",
        right="nodeAffinity: [{matchExpressions: [{key: zone, operator: In, values: [a]}]}]",
    ),
    "bad-toleration": Explanation(
        "a toleration that Kubernetes refuses",
        "Without a key a toleration has the operator `Exists`; `Exists` has no value; seconds go with the "
        "effect `NoExecute`.",
        wrong="tolerations: [{key: gpu, operator: Exists, value: present}]",
        right="tolerations: [{key: gpu, operator: Exists}]",
    ),
    "bad-security-context": Explanation(
        "a user that the same context refuses",
        "The user 0 is root, and `runAsNonRoot` lets no root in.",
        wrong="securityContext: {runAsUser: 0, runAsNonRoot: true}",
        right="securityContext: {runAsUser: 1000, runAsNonRoot: true}",
    ),
    "claim-from-cache": Explanation(
        "a claim that only the first run makes or deletes",
        "KFP caches these tasks like others. One whose inputs are the same each time runs once; later "
        "the claim is neither made nor deleted. A claim with a made-up name is new in each run.",
        wrong="drop: {deletePvc: {name: scratch}}",
        right="drop: {deletePvc: {name: scratch}, cache: false}",
    ),
}
