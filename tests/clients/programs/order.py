"""Tasks that pass nothing on and still wait for each other, a pipeline of one component, and constants of all types."""

from kfp import dsl


@dsl.component
def note(path: str, word: str, numbers: list = [1, 2], settings: dict = {'a': 1.5}) -> str:
    with open(path, 'a') as file:
        file.write(word)
    return f'{word}{numbers}{settings}'


@dsl.pipeline
def pair(path: str, word: str):
    second = note(path=path, word=word, numbers=[], settings={})
    second.after(note(path=path, word=word))


@dsl.component
def read(path: str) -> str:
    return open(path).read()


@dsl.pipeline(name='order')
def pipeline(path: str) -> str:
    one = note(path=path, word='1')
    two = pair(path=path, word='2').after(one)
    three = note(path=path, word=f'{one.output}3').after(two)
    return read(path=path).after(three).output


ARGUMENTS = {'path': '{folder}/notes'}
TASKS = {'note': 'SUCCEEDED', 'pair/note': 'SUCCEEDED', 'pair/note-2': 'SUCCEEDED', 'read': 'SUCCEEDED'}
OUTPUTS = {'Output': "1221[1, 2]{'a': 1.5}3"}
