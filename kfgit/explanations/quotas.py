"""Quotas: what a cluster gives out, and what it has no room for."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Quotas"

ENTRIES = {
    "quota-exceeded": Explanation(
        "a task, or the tasks of a run together, ask for more than a quota has",
        "A profile's `quota` becomes the namespace's ResourceQuota, which counts all tasks of the environment, or that "
        "of a ClusterQueue, which counts those of its queue; in a cohort a queue may borrow up to `borrowingLimit`, or "
        "as much as there is. A task that asks for more never starts, which is an error. So it is where the tasks of a "
        "run's widest moment ask for more together: a ResourceQuota has no queue, and refuses pods until others have "
        "ended, whoever came first. Give the loop a `parallelism` that fits, let tasks stand `after` each other, or "
        "give the profile a `queue`. In a queue the rest waits its turn, which is only a warning; so it is where "
        "conditions may keep some of the tasks from running. The moment is reckoned as for the policy "
        "`maxGpusPerRun`. On local targets there are no quotas.",
        wrong="spec: {accelerator: {resource: nvidia.com/gpu, count: 8}, quota: {nvidia.com/gpu: 4}}",
        right="spec: {accelerator: {resource: nvidia.com/gpu, count: 4}, quota: {nvidia.com/gpu: 4}}",
    ),
    "quota-unbounded": Explanation(
        "a loop of which nobody knows how much of a quota it takes",
        "The items of the loop are known only when it runs, and it has no `parallelism`: as many iterations begin as "
        "there are items, and each asks for devices that the namespace's ResourceQuota counts. With a `parallelism` so "
        "many run side by side and no more. Tasks that come to a `queue` wait there and are not told. It is a warning, "
        "since there may be few items.",
        wrong="forEach: $(inputs.folds)",
        right="forEach: $(inputs.folds)\nparallelism: 2",
    ),
    "quota-incomplete": Explanation(
        "a quota that keeps every pod of KFP out",
        "Each pod of a task has containers of KFP and Argo beside the task's own. They ask for cpu and memory, and "
        "Kueue admits nothing that asks for what its ClusterQueue has no quota for. Argo's container says nothing of "
        "them, and a namespace with a ResourceQuota for cpu or memory refuses it, unless a LimitRange has a default. "
        "It is a warning: Kueue may be told to leave resources out, Argo may be told what to ask for, and the "
        "namespace may have a LimitRange that kfgit does not know.",
        wrong="queue: {localQueue: gpu, clusterQueue: gpus}\nquota: {nvidia.com/gpu: 4}",
        right="queue: {localQueue: gpu, clusterQueue: gpus}\nquota: {cpu: 64, memory: 256Gi, nvidia.com/gpu: 4}",
    ),
    "limit-range-exceeded": Explanation(
        "a container outside of what a limit range allows",
        "A profile's `limitRange` holds for every container of the namespace, whatever profile its task has: limits "
        "may be no more than `max`, requests no less than `min`. The API server makes no pod with a container outside "
        "of that. KFP's own are among them: its driver, a pod before each task, asks for 100m of cpu and 64Mi of "
        "memory and may use 500m and 512Mi. Where a limit range does not let it, no task begins, which is a warning. "
        "On local targets there are no limit ranges.",
        wrong="limitRange: {max: {memory: 16Gi}}   # and a task with limits: {memory: 32Gi}",
        right="limitRange: {max: {memory: 32Gi}}",
    ),
    "schedule-overlaps": Explanation(
        "runs of a schedule that together hold more than a quota has",
        "With `maxConcurrency` a schedule lets several runs go on side by side. One of them fits into the quota of its "
        "profile and all of them do not, so that their tasks wait for each other.",
        wrong="maxConcurrency: 3   # of runs that hold 4 GPUs each, with a quota of 8",
        right="maxConcurrency: 2",
    ),
}
