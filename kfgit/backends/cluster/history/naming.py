"""What KFP's ids mean to people: a question for each where they are few, else one list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from kfgit.backends.cluster.kfp.api import KfpApi
from kfgit.backends.cluster.kfp.translate import Names

T = TypeVar("T")

_FEW = 4


def names(api: KfpApi, pipelines: Iterable[str | None], experiments: Iterable[str | None]) -> Names:
    """The names of pipelines and experiments; what is gone has none."""
    return Names(
        {one.pipeline_id: one.name for one in _found(pipelines, api.pipeline, api.pipelines)},
        {},
        {one.experiment_id: one.display_name for one in _found(experiments, api.experiment, api.experiments)},
    )


def _found(
    ids: Iterable[str | None], one: Callable[[str], T | None], every: Callable[[], Iterable[T]]
) -> Iterable[T]:
    wanted = sorted({id_ for id_ in ids if id_})
    if len(wanted) > _FEW:
        return every()
    return [found for id_ in wanted if (found := one(id_)) is not None]
