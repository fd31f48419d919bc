"""What tasks get of a machine, and the profiles that say so."""

from __future__ import annotations

from kfgit.explanations.entry import Explanation

TITLE = "Profiles"

ENTRIES = {
    "unknown-profile": Explanation(
        "a profile that does not exist",
        "`profile: NAME` means what the environment's `profiles` says for NAME, else the ResourceProfile NAME. Each "
        "environment that has the task needs one of the two. The help names the environments that map it already.",
        wrong="train: {component: train, profile: gpu-defualt}",
        right="train: {component: train, profile: gpu-default}",
    ),
    "profile-cycle": Explanation(
        "profiles that extend each other",
        "A profile takes over what it extends, so the chain must end.",
        wrong=("small: {extends: large}\nlarge: {extends: small}"),
        right="large: {extends: small}",
    ),
    "profile-too-deep": Explanation(
        "profiles that extend each other over too many steps",
        "A profile can extend one that extends another, over 32 profiles. Whoever reads it has to look at all of them.",
        wrong="p40: {extends: p39}   # which extends p38, and so on down to p1",
        right="p40: {extends: p1, limits: {memory: 8Gi}}",
    ),
    "placement-too-large": Explanation(
        "more about nodes than anybody writes",
        "`node` has up to 500 values: labels, tolerations and the terms of affinity together. Each task of the profile "
        "has all of them in its pod.",
        wrong="affinity: [{matchExpressions: [{key: node, operator: In, values: [n1, n2, …, n600]}]}]",
        right="selector: {pool: training}   # a label that those nodes have",
    ),
    "quota-too-large": Explanation(
        "a quota for more resources than a queue has",
        "A ClusterQueue of Kueue takes up to 64 resources from one flavor, and kfgit takes no more of them in any "
        "`quota`, `borrowingLimit` or `lendingLimit`.",
        wrong="quota: {example.com/a1: 1, example.com/a2: 1, …, example.com/a65: 1}",
        right="quota: {cpu: 64, memory: 256Gi, nvidia.com/gpu: 8}",
    ),
    "queue-too-large": Explanation(
        "a ClusterQueue that is larger than Kueue takes",
        "All profiles of a ClusterQueue together make its flavors and resources. Those that hang together are one "
        "group, in which each flavor says each resource. Kueue takes 16 groups, each of 64 flavors and 64 resources; "
        "older ones take 16 of both.",
        wrong="queue: {localQueue: team, clusterQueue: everything, flavor: f65}",
        right="queue: {localQueue: team, clusterQueue: team, cohort: everything}",
    ),
    "bad-quantity": Explanation(
        "a quantity that KFP or Kubernetes does not read, or that nobody can mean",
        "CPU is counted in cores or thousandths (`500m`), memory in whole bytes with a unit (`512Mi`). A plain number "
        "is cores or bytes: `cpu: 500` would ask for 500 cores, and `memory: 500` for 500 bytes, where nothing runs. "
        "Devices are counted whole, also in quotas.",
        wrong="memory: 1.5Gi",
        right="memory: 1536Mi",
    ),
    "request-above-limit": Explanation(
        "a request above its limit",
        "Kubernetes refuses a container that asks for more than it may have. A task's own amounts go over those of its "
        "profile, so that each alone can be right and both together wrong.",
        wrong=("requests: {cpu: 4}\nlimits: {cpu: 2}"),
        right=("requests: {cpu: 2}\nlimits: {cpu: 4}"),
    ),
    "shared-memory-above-limit": Explanation(
        "more shared memory than memory",
        "What a task writes to `/dev/shm` counts as memory of its container, so that it is killed when both together "
        "pass the limit, long before the shared memory is full.",
        wrong="limits: {memory: 4Gi}\nsharedMemory: 8Gi",
        right="limits: {memory: 16Gi}\nsharedMemory: 8Gi",
    ),
    "bad-limit-range": Explanation(
        "limits of a namespace that are in the wrong order",
        "Kubernetes takes a LimitRange only where, for each resource, `min`, `defaultRequest`, `default` and `max` "
        "rise in this order.",
        wrong="limitRange: {default: {memory: 8Gi}, max: {memory: 4Gi}}",
        right="limitRange: {default: {memory: 2Gi}, max: {memory: 4Gi}}",
    ),
    "unknown-resource": Explanation(
        "a resource that Kubernetes does not know",
        "Devices are extended resources, whose names have a domain: `nvidia.com/gpu`. Without one there are `cpu`, "
        "`memory`, `ephemeral-storage` and what a namespace counts, such as `pods`. Kubernetes refuses any other. "
        "A name that only looks like one of a device plugin, such as `nvidia.com/gpus`, is a warning: no node has it.",
        wrong="accelerator: {resource: gpu}",
        right="accelerator: {resource: nvidia.com/gpu}",
    ),
    "no-such-slice": Explanation(
        "a MIG slice that the named GPU does not have",
        "Each model of NVIDIA's GPUs can be cut into slices of its own sizes, and many into none: `1g.5gb` is of an "
        "A100 with 40 GB, `1g.10gb` of one with 80 GB. The model is what `model` or the node selector says. Of models "
        "that kfgit does not know nothing is said.",
        wrong="accelerator: {resource: nvidia.com/mig-1g.5gb, model: NVIDIA-A100-SXM4-80GB}",
        right="accelerator: {resource: nvidia.com/mig-1g.10gb, model: NVIDIA-A100-SXM4-80GB}",
    ),
    "accelerator-mismatch": Explanation(
        "devices that are not of one kind",
        "`resource`, `model` and the labels of the node selector (`nvidia.com/gpu.product`, "
        "`cloud.google.com/gke-accelerator` …) speak of the same device. Where they name two, no node fits, and the "
        "task waits forever.",
        wrong=(
            "accelerator: {resource: nvidia.com/gpu, model: NVIDIA-L4}\n"
            "node: {selector: {cloud.google.com/gke-accelerator: nvidia-tesla-t4}}"
        ),
        right=(
            "accelerator: {resource: nvidia.com/gpu, model: NVIDIA-L4}\n"
            "node: {selector: {cloud.google.com/gke-accelerator: nvidia-l4}}"
        ),
    ),
    "impossible-placement": Explanation(
        "a place that no node can be",
        "A node must have all labels of the selector and meet one of the required terms of the affinity. Here each "
        "term asks for something else than the selector, or for two things that exclude each other. Terms with a "
        "`weight` are wishes and may fail.",
        wrong=(
            "selector: {zone: a}\naffinity: [{matchExpressions: [{key: zone, operator: In, values: [b, c]}]}]"
        ),
        right=(
            "selector: {disk: fast}\n"
            "affinity: [{matchExpressions: [{key: zone, operator: In, values: [b, c]}]}]"
        ),
    ),
    "toleration-mismatch": Explanation(
        "a toleration for other nodes than the chosen ones",
        "Pools of nodes are usually tainted with the label that they have. A toleration of the same key and another "
        "value lets the task onto nodes that the selector does not choose, and keeps it off those that it does.",
        wrong="selector: {pool: gpu}\ntolerations: [{key: pool, value: cpu}]",
        right="selector: {pool: gpu}\ntolerations: [{key: pool, value: gpu}]",
    ),
    "tpu-without-labels": Explanation(
        "a TPU that GKE does not know where to place",
        "GKE has TPUs on its own pools and goes by two labels: the sort of TPU and the topology of its slice. `count` "
        "is the number of chips of one node.",
        wrong="accelerator: {resource: google.com/tpu, count: 8}",
        right=(
            "accelerator: {resource: google.com/tpu, count: 8}\n"
            "node:\n"
            "  selector:\n"
            "    cloud.google.com/gke-tpu-accelerator: tpu-v5-lite-podslice\n"
            "    cloud.google.com/gke-tpu-topology: 2x4"
        ),
    ),
    "profile-conflict": Explanation(
        "an object of the cluster that two profiles want differently",
        "Several profiles may share a queue, a flavor or a class: what each says of it is put together. A part that "
        "two of them say differently would be either, so it must be said once, or equal. A profile takes over what it "
        "extends, and says that part differently only of an object with another name.",
        wrong=(
            "l4:   {queue: {localQueue: a, clusterQueue: gpu, cohort: research}, quota: {nvidia.com/gpu: 8}}\n"
            "a100: {queue: {localQueue: a, clusterQueue: gpu, cohort: serving}, quota: {nvidia.com/gpu: 4}}"
        ),
        right=(
            "gpu:  {queue: {localQueue: a, clusterQueue: gpu, cohort: research}}\n"
            "l4:   {extends: gpu, quota: {nvidia.com/gpu: 8}}\n"
            "a100: {extends: gpu, quota: {nvidia.com/gpu: 4}}"
        ),
    ),
    "queue-without-cohort": Explanation(
        "a queue that borrows or lends, and is in no cohort",
        "ClusterQueues of one cohort lend each other what they do not use. Without a cohort there is nobody to borrow "
        "from, and Kueue refuses the limits.",
        wrong="queue: {localQueue: a, clusterQueue: gpu, borrowingLimit: {nvidia.com/gpu: 4}}",
        right="queue: {localQueue: a, clusterQueue: gpu, cohort: research, borrowingLimit: {nvidia.com/gpu: 4}}",
    ),
    "target-lacks": Explanation(
        "a target that has not what tasks need",
        "Told by `plan`, `apply` and the agent, which ask the cluster: it has no Kueue (`kueue.x-k8s.io`), no dynamic "
        "resource allocation (`resource.k8s.io/v1`), no LocalQueue or WorkloadPriorityClass of a name that kfgit does "
        "not keep itself, or a DeviceClass cannot give devices under an extended resource's name. Tasks would wait for "
        "ever, so nothing is applied, and `kfgit run` refuses likewise. Where no task uses such a profile, its objects "
        "are left out, as the plan says. On this machine it is told of a run or a schedule whose tasks ask for GPUs "
        "that are not here, where the environment says `gpu: require`.",
        wrong="profiles: {gpu: l4-queued}   # on a cluster without Kueue",
        right="profiles: {gpu: l4}",
    ),
    "queue-without-cluster-queue": Explanation(
        "a property of a ClusterQueue that is not named",
        "A LocalQueue only leads to a ClusterQueue; cohort, borrowing, lending, order and preemption are of that one. "
        "kfgit keeps it, and the LocalQueue, where `clusterQueue` says its name.",
        wrong="queue: {localQueue: batch, cohort: research}",
        right="queue: {localQueue: batch, clusterQueue: gpu, cohort: research}",
    ),
    "queue-without-quota": Explanation(
        "a property of a ClusterQueue that kfgit does not keep",
        "kfgit keeps a ClusterQueue where a profile says its `quota`. Where none does it is somebody else's, and so "
        "are its cohort, limits, order and preemption: what a profile says of them changes nothing.",
        wrong="queue: {localQueue: batch, clusterQueue: gpu, cohort: research}",
        right=(
            "queue: {localQueue: batch, clusterQueue: gpu, cohort: research}\n"
            "quota: {cpu: 64, memory: 256Gi, nvidia.com/gpu: 8}"
        ),
    ),
    "lending-above-quota": Explanation(
        "a queue that lends more than it has",
        "`lendingLimit` is the part of the queue's own quota that others of its cohort may use; Kueue refuses more "
        "than all of it.",
        wrong="quota: {nvidia.com/gpu: 4}\nqueue: {lendingLimit: {nvidia.com/gpu: 6}}",
        right="quota: {nvidia.com/gpu: 4}\nqueue: {lendingLimit: {nvidia.com/gpu: 2}}",
    ),
}
