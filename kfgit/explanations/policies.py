"""Policies: what an environment wants beyond correctness."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Policies"

ENTRIES = {
    "policy-pinned-images": Explanation(
        "an image without a digest",
        "The policy `pinnedImages` wants images by digest, so that the same commit always runs the same "
        "bytes.",
        wrong="image: ghcr.io/acme/train:1",
        right="image: ghcr.io/acme/train@sha256:…",
    ),
    "policy-allowed-registries": Explanation(
        "an image from a registry that is not allowed",
        "The policy `allowedRegistries` lists the registries, with or without a path, that images may come "
        "from. An image without a registry comes from `docker.io/library`.",
        wrong="image: quay.io/someone/train:1",
        right="image: ghcr.io/acme/train:1",
    ),
    "policy-required-labels": Explanation(
        "a pipeline without a label that it must have",
        "The policy `requiredLabels` lists labels of `metadata.labels` that every pipeline has.",
        wrong="metadata: {name: train}",
        right="metadata: {name: train, labels: {team: growth}}",
    ),
    "policy-max-gpus-per-run": Explanation(
        "a pipeline whose runs may hold more GPUs at once than the environment allows",
        "The policy `maxGpusPerRun` looks at the widest moment of a run: tasks that wait for each other never "
        "count together, of a switch's branches the heaviest one counts, a loop counts as many iterations as "
        "run side by side. Where the items of a loop are known only when it runs, its `parallelism` says how "
        "many that are.",
        wrong="sweep: {forEach: [1, 2, 3, 4], tasks: {train: {component: train, profile: two-gpus}}}",
        right="sweep: {forEach: [1, 2, 3, 4], parallelism: 2, tasks: {train: {component: train, profile: two-gpus}}}",
    ),
    "policy-budget-per-month": Explanation(
        "schedules that cost more in a month than the environment's budget",
        "The policy `budgetPerMonth` compares with what the schedules that are enabled would cost in the 30 days from "
        "now: how often each fires, by what a run of its pipeline costs. That is the median of the newest 10 runs that "
        "succeeded on the target, each the sum over its tasks of the time that they took, by the `cost` of their "
        "profiles of today. What is not known, since no run has succeeded yet or a profile with devices has no `cost`, "
        "counts nothing, and is told. A plan that changes nothing, or that lowers the costs, is only warned. The "
        "budget has no currency of its own: it is in that of the profiles, and each currency is compared by itself.",
        wrong="policies: {budgetPerMonth: 1200}   # and a schedule of every hour, whose runs cost 12.40",
        right="cron: 0 */8 * * *",
    ),
    "policy-freeze": Explanation(
        "a change while nothing may change",
        "The policy `freeze` lists times without changes; `true` means always. `apply`, `destroy`, `promote` "
        "and the agent change nothing then. `plan` says so and goes on, so that what comes after the freeze "
        "can be looked at. Runs and schedules go on, too.",
        wrong="kfgit apply -e prod   # on Christmas Eve, where prod is frozen",
        right="kfgit plan -e prod    # and apply after the window's `end`",
    ),
    "policy-protected": Explanation(
        "a change of a protected object",
        "The policy `protected` names objects that no plan may update, replace or delete: `kind/name` with "
        "globs, by the name of the document or of the object. Creating them is allowed.",
        wrong="protected: [schedule/billing-*]   # and a commit that changes the cron of billing-nightly",
        right="protected: []                     # reviewed in a commit of its own, before the change",
    ),
    "policy-rule": Explanation(
        "what a rule of the team forbids",
        "A rule under `policies.rules` is CEL that must be true of each document of its `kinds`, or of each "
        "change of its `actions`. One that cannot be evaluated, for a key that is not there for instance, "
        "counts as not true: ask with `has(…)` first. `kfgit policy test` runs the examples beside a rule.",
        wrong="require: resource.metadata.labels.owner != ''",
        right="require: has(resource.metadata.labels) && has(resource.metadata.labels.owner)",
    ),
    "policy-rules-too-costly": Explanation(
        "rules that cost too much",
        "What all rules of an environment may cost together is bounded, so that checking a stranger's pull "
        "request ends. Macros inside macros over long lists cost most. What was not asked counts as refused.",
        wrong="require: resource.spec.items.all(a, resource.spec.items.all(b, a == b))",
        right="require: resource.spec.items.all(a, a == resource.spec.items[0])",
    ),
    "policy-test": Explanation(
        "an example that a rule answers otherwise",
        "`kfgit policy test` asks each rule about the examples beside it. `passes: true` says that the rule "
        "holds, `passes: false` that it refuses.",
        wrong="{name: no owner, resource: {metadata: {labels: {owner: ml}}}, passes: false}",
        right="{name: no owner, resource: {metadata: {labels: {}}}, passes: false}",
    ),
    "bad-rule": Explanation(
        "a rule that is no CEL, or can never be true or false",
        "`require` is an expression of CEL (cel.dev) over `resource`, the document as the environment sees "
        "it; `environment`, with `name`, `mode` and `labels`; and, where it is about a change, `change`, with "
        "`action`, `cause`, `kind`, `name`, `diff` (a list of `path`, `before` and `after`) and `before`.",
        wrong="require: resource.kind = 'Pipeline'",
        right="require: resource.kind == 'Pipeline'",
    ),
    "duplicate-rule": Explanation(
        "two rules of one name in one list",
        "The name says which rule refused. An environment's rule replaces the project's of the same name; in "
        "one list each name stands once.",
        wrong="rules: [{name: owner, require: 'true'}, {name: owner, require: 'false'}]",
        right="rules: [{name: owner, require: 'true'}, {name: nobody, require: 'false'}]",
    ),
    "rule-test-change": Explanation(
        "an example that does not fit its rule",
        "A rule that names `change`, or has `actions`, is asked about changes, so each of its examples has a "
        "`change`. Any other rule is asked about documents, and its examples have none.",
        wrong="{name: no-delete, actions: [delete], require: 'false', tests: [{name: gone, passes: false}]}",
        right="{name: no-delete, actions: [delete], require: 'false', tests: [{name: gone, change: {action: delete}, "
        "passes: false}]}",
    ),
}
