"""Environments. Overlays and patches."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Environments"

ENTRIES = {
    "too-many-environments": Explanation(
        "more environments than are checked",
        "A project may have 100 environments, since each is checked whenever anything changes.",
        wrong="environments/customer-001.yaml to environments/customer-250.yaml",
        right="one project for each group of customers",
    ),
    "unknown-environment": Explanation(
        "an environment that does not exist",
        "The name stands in `kfgit.yaml`, or a document stands below `environments/NAME/`, but no "
        "Environment has that name. Nothing would ever look at such a document.",
        wrong="environments: [dev, prdo]",
        right="environments: [dev, prod]",
    ),
    "environment-name": Explanation(
        "an Environment in the wrong place",
        "`environments/NAME.yaml`, or a file below `environments/NAME/`, holds the Environment NAME.",
        wrong=("# environments/prod.yaml\nkind: Environment\nmetadata: {name: production}"),
        right=("# environments/prod.yaml\nkind: Environment\nmetadata: {name: prod}"),
    ),
    "overlay-without-target": Explanation(
        "an overlay over nothing",
        "A document of an environment either changes a document of all environments, and then has "
        "its name, or is new, and then must be complete by itself.",
        wrong=("kind: Schedule\nmetadata: {name: nihgtly}\nspec: {enabled: false}"),
        right=("kind: Schedule\nmetadata: {name: nightly}\nspec: {enabled: false}"),
    ),
    "addition-near-base": Explanation(
        "a new document with almost the name of another",
        "The document is complete, so it is added, but its name is one letter away from an "
        "existing one: perhaps it was meant as an overlay.",
        wrong="metadata: {name: nightl}",
        right="metadata: {name: nightly}",
    ),
    "patch-without-target": Explanation(
        "a patch that hits nothing",
        "No document has the name, or the labels, that the patch asks for.",
        wrong="target: {kind: Pipeline, name: trian}",
        right="target: {kind: Pipeline, name: train}",
    ),
    "patch-failed": Explanation(
        "a patch that cannot be carried out",
        "The path of a JSON patch leads nowhere, its test fails, or it would make another "
        "document of this one. `add` makes what is missing, `replace` and `remove` need what is "
        "there.",
        wrong="{op: replace, path: /spec/tasks/nobody, value: {}}",
        right="{op: add, path: /spec/tasks/extra, value: {component: make}}",
    ),
    "bad-endpoint": Explanation(
        "an endpoint that is not a server's URL",
        "`endpoint` has a scheme (`https`, or `http`), a host, and perhaps a port and a path. A token or a "
        "password never stands in it: `auth` says where that is.",
        wrong="endpoint: https://ci:secret@kfp.example.com",
        right="endpoint: https://kfp.example.com/pipeline\nauth: {type: bearer, tokenFromEnv: KFP_TOKEN}",
    ),
    "auth-without-endpoint": Explanation(
        "credentials that would never reach KFP",
        "Without an `endpoint` KFP is asked through the Kubernetes API server, which takes the token or the "
        "certificate of the kubeconfig's user and passes nothing of that on. A server with several users "
        "needs an `endpoint`, or trusts the header of `user`.",
        wrong="kfp: {auth: {type: bearer, tokenFromEnv: KFP_TOKEN}}",
        right="kfp: {endpoint: https://kfp.example.com, auth: {type: bearer, tokenFromEnv: KFP_TOKEN}}",
    ),
    "insecure-endpoint": Explanation(
        "credentials that anybody on the way can read",
        "Over plain http a token or a cookie goes through the network as it is. It is told of hosts that are neither "
        "this machine nor a Service inside the cluster (`NAME.NAMESPACE.svc`).",
        wrong="endpoint: http://kfp.example.com",
        right="endpoint: https://kfp.example.com",
    ),
    "pin-not-found": Explanation(
        "a pin that leads nowhere",
        "`spec.pin.commit` is the hash of a commit of this repository; its first 7 digits or more will do as long as "
        "no other commit begins with them. Branches and tags do not count: they come to mean something else. The "
        "commit must be in the clone at hand, whole, and have a `kfgit.yaml` in the same folder. A CI job often has "
        "the newest commit alone; say `fetch-depth: 0` to actions/checkout, `GIT_DEPTH: 0` in GitLab, or `git fetch "
        "--unshallow`. Nothing else is told of an environment whose base documents nobody knows.",
        wrong="pin: {commit: abcdef0}   # a commit that nobody has pushed",
        right="pin: {commit: 3f2a9c1d58b7e6f40912c3d4e5f60718293a4b5c}",
    ),
    "too-many-pins": Explanation(
        "environments that pin more commits than are read",
        "Each pinned commit is read and checked as a whole, so the environments of a project pin 32 different ones at "
        "most, and with 64 MiB of YAML in all of them together.",
        wrong="environments/customer-01.yaml to environments/customer-50.yaml, each with a pin of its own",
        right="one commit for a group of environments",
    ),
    "without-effect": Explanation(
        "a key that another type of target has",
        "`context` and `kfp` say how to reach a cluster; `executor`, `capacity` and `gpu` what this machine does. On a "
        "target of the other type nothing looks at them.",
        wrong="target: {type: local, context: prod}",
        right="target: {type: cluster, context: prod}",
    ),
}
