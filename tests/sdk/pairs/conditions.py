from typing import List

from kfp import dsl


@dsl.component
def flip(share: float = 0.5) -> str:
    return 'heads'


@dsl.component
def count() -> int:
    return 1


@dsl.component
def ready() -> bool:
    return True


@dsl.component
def say(text: str):
    pass


@dsl.pipeline(name='conditions')
def pipeline(word: str, number: int, share: float, on: bool, numbers: List[int]):
    with dsl.If(word == 'yes'):
        say(text=word)
    with dsl.If(number >= 3):
        say(text='many')
    with dsl.If(share < 0.5):
        say(text='little')
    with dsl.If(on == True):
        say(text='on')
    counted = count()
    with dsl.If(counted.output > number):
        say(text='more')
    with dsl.If(counted.output != share):
        say(text='other')
    with dsl.If(counted.output <= 2.5):
        say(text='less')
    flipped = flip()
    is_ready = ready()
    with dsl.If(flipped.output == 'heads'):
        with dsl.If(is_ready.output == True):
            say(text=flipped.output)
            with dsl.ParallelFor(numbers) as one:
                with dsl.If(one > 2):
                    say(text='big')
        again = flip(share=share)
        with dsl.If(again.output == word):
            say(text='twice')
    with dsl.ParallelFor([{'a': 'z', 'b': 'x'}]) as item:
        with dsl.If(item.a == 'z'):
            say(text='z')
