"""Compiled packages as tasks: what has a taken name gets another, and Kubernetes' settings go along."""

from pathlib import Path

from kfp import components, dsl, kubernetes

inner = components.load_component_from_file(str(Path(__file__).parent / "packages" / "inner.yaml"))


@dsl.container_component
def make(rate: float, table: dsl.Output[dsl.Dataset]):
    return dsl.ContainerSpec(image="example.com/make:1", args=[rate, table.path])


@dsl.container_component
def use(table: dsl.Input[dsl.Dataset]):
    return dsl.ContainerSpec(image="example.com/use:2", args=[table.path])


@dsl.pipeline(name="packages")
def pipeline(rate: float = 0.1) -> dsl.Dataset:
    own = make(rate=rate)
    kubernetes.use_secret_as_env(own, "own", {"key": "OWN_KEY"})
    first = inner(rate=rate)
    second = inner(rate=0.2, words=["c"], deep=False).after(own)
    use(table=first.outputs["Output"])
    use(table=second.outputs["Output"])
    return first.outputs["Output"]
