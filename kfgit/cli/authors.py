"""What the checkout knows of the pipelines on a server: it tells runs in their authors' words."""

from __future__ import annotations

from collections.abc import Callable

from kfgit import desired, driver
from kfgit.driver import Checkout, Repository
from kfgit.ir import Package


def packages(repository: Repository, environment: str) -> Callable[[str], Package | None]:
    """The package of a pipeline by its name on the server, or its own: checked and compiled once somebody asks."""
    known: list[Checkout] = []

    def package(name: str) -> Package | None:
        known.extend(() if known else (driver.check(repository, environment).value,))
        project = known[0].project
        for pipeline in project.pipelines.values():
            found = pipeline.pipeline
            if name in {found.name, desired.server_name(project, found.name, found.external_name)}:
                from kfgit import compiler

                return compiler.compile_pipeline(pipeline)
        return None

    return package
