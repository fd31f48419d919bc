"""Two tasks, one after the other."""

from kfp import dsl


@dsl.component
def twice(number: int) -> int:
    return number * 2


@dsl.pipeline(name='doubling')
def pipeline(number: int = 4) -> int:
    return twice(number=twice(number=number).output).output


ARGUMENTS = {}
TASKS = {'twice': 'SUCCEEDED', 'twice-2': 'SUCCEEDED'}
OUTPUTS = {'twice.Output': 8, 'Output': 16}
