"""`kfgit graph`: a pipeline's DAG as a picture or as text."""

from __future__ import annotations

import click

from kfgit import driver
from kfgit.backend import NotFound
from kfgit.cli import exits, options
from kfgit.cli.session import Session
from kfgit.cli.standing import touching
from kfgit.render import graph as pictures
from kfgit.render.graph.from_pipeline import graph_of


@click.command("graph")
@click.argument("pipeline", shell_complete=options.complete_pipeline)
@options.environment
@options.output("text", "mermaid", "svg", "dot", "json")
@options.session
def command(session: Session, pipeline: str, env: str | None, output: str) -> int:
    """Draw a pipeline's DAG.

    \b
    Examples:
      kfgit graph train-deploy
      kfgit graph train-deploy -o svg > train-deploy.svg
    """
    repository = session.repository()
    checked = driver.check(repository, session.environment(repository, env))
    found = checked.value.project
    name = pipeline.removeprefix("pipeline/")
    if name not in found.project.pipelines and ("*", name) not in checked.value.source.broken:
        raise NotFound("pipeline", name, list(found.project.pipelines))
    if name not in found.pipelines:
        faults = driver.mistakes(checked)
        return session.invalid(
            repository, touching(checked.value.view.documents, [("Pipeline", name)], faults)
        )
    graph = graph_of(found.pipelines[name])
    match output:
        case "mermaid":
            session.print(pictures.mermaid(graph))
        case "svg":
            session.print(pictures.svg(graph))
        case "dot":
            session.print(pictures.dot(graph))
        case "json":
            session.json(pictures.as_json(graph))
        case _:
            session.print(pictures.text(graph, session.out.width, colour=session.out.colour))
    return exits.DONE
