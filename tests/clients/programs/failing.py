"""A failure in the middle: what waits for it is skipped, the rest goes on, nothing hides why."""

from kfp import dsl


@dsl.component
def start() -> int:
    return 1


@dsl.component
def divide(number: int) -> float:
    print('about to divide')
    return number / 0


@dsl.component
def show(number: float) -> str:
    return str(number)


@dsl.pipeline(name='last')
def last(text: str):
    show(number=1.0).after(show(number=2.0))


@dsl.pipeline(name='failing')
def pipeline():
    started = start()
    divided = divide(number=started.output)
    shown = show(number=divided.output)
    last(text=shown.output)
    show(number=3.5)


ARGUMENTS = {}
STATE = 'FAILED'
TASKS = {
    'start': 'SUCCEEDED',
    'divide': 'FAILED',
    'show': 'SKIPPED',
    'last': 'SKIPPED',
    'show-2': 'SUCCEEDED',
}
OUTPUTS = {'show-2.Output': '3.5'}
LOGS = {'divide': ['about to divide', 'ZeroDivisionError']}
