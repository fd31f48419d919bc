from kfp import dsl, kubernetes


@dsl.component
def step():
    pass


@dsl.component
def place() -> dict:
    return {}


@dsl.pipeline(name="kubernetes-nodes")
def pipeline(
    selector: dict = {"disk": "ssd"},
    affinity: dict = {},
    taint: dict = {"key": "gpu", "operator": "Exists"},
    taints: list = [],
    places: list[dict] = [{"disk": "hdd"}],
):
    one = step()
    kubernetes.add_node_selector(one, "disk", "ssd")
    kubernetes.add_node_selector(one, "example.com/pool", "batch")
    kubernetes.add_node_affinity(
        one,
        match_expressions=[
            {"key": "zone", "operator": "In", "values": ["a", "b"]},
            {"key": "cores", "operator": "Gt", "values": ["8"]},
        ],
        match_fields=[{"key": "metadata.name", "operator": "NotIn", "values": ["node-1"]}],
    )
    kubernetes.add_node_affinity(one, [{"key": "spot", "operator": "DoesNotExist"}], weight=50)
    kubernetes.add_toleration(one, key="gpu", operator="Exists", effect="NoSchedule")
    kubernetes.add_toleration(
        one, key="team", operator="Equal", value="growth", effect="NoExecute", toleration_seconds=30
    )
    kubernetes.add_toleration_json(
        one, [{"key": "a", "value": "b"}, {"operator": "Exists", "effect": "PreferNoSchedule"}]
    )
    kubernetes.add_toleration_json(one, {"key": "c", "operator": "Exists"})

    two = step()
    kubernetes.add_node_selector_json(two, selector)
    kubernetes.add_node_affinity_json(two, affinity)
    kubernetes.add_toleration_json(two, taint)
    kubernetes.add_toleration_json(two, taints)
    kubernetes.add_toleration(two, key="spot", operator="Exists")

    chosen = place()
    three = step()
    kubernetes.add_node_selector_json(three, chosen.output)
    kubernetes.add_node_affinity(three, [{"key": "zone", "operator": "Exists"}])
    kubernetes.add_node_affinity_json(three, chosen.output)
    kubernetes.add_toleration_json(three, chosen.output)

    four = step()
    kubernetes.add_node_selector_json(four, {"disk": "hdd"})
    kubernetes.add_node_affinity_json(
        four,
        {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
                ]
            },
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "weight": 5,
                    "preference": {
                        "matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]
                    },
                }
            ],
        },
    )

    with dsl.ParallelFor(places) as where:
        five = step()
        kubernetes.add_node_selector_json(five, where)
        kubernetes.add_node_affinity_json(five, chosen.output)
        kubernetes.add_toleration_json(five, taints)
