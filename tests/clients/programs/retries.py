"""A task that works at the third attempt, and one that never does and whose failure another does not mind."""

from kfp import dsl


@dsl.component
def stubborn(path: str) -> int:
    with open(path, 'a+') as file:
        file.write('attempt\n')
        file.seek(0)
        attempts = len(file.readlines())
    if attempts < 3:
        raise RuntimeError(f'attempt {attempts}')
    return attempts


@dsl.component
def hopeless():
    raise RuntimeError('never')


@dsl.component
def clean_up(done: str = 'x') -> str:
    return done


@dsl.pipeline(name='retries')
def pipeline(path: str) -> int:
    tried = stubborn(path=path).set_retry(num_retries=3, backoff_duration='0s')
    clean_up(done='cleaned').after(hopeless()).ignore_upstream_failure()
    return tried.output


ARGUMENTS = {'path': '{folder}/attempts'}
STATE = 'FAILED'
TASKS = {'stubborn': 'SUCCEEDED', 'hopeless': 'FAILED', 'clean-up': 'SUCCEEDED'}
OUTPUTS = {'stubborn.Output': 3, 'clean-up.Output': 'cleaned'}
