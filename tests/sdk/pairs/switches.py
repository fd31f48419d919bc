from kfp import dsl


@dsl.component
def flip() -> int:
    return 1


@dsl.component
def say(text: str = 'x') -> str:
    return text


@dsl.pipeline(name='switches')
def pipeline(word: str, number: int):
    side = flip().output
    with dsl.Condition(side == 1):
        say(text='only')
        say(text='two')
    with dsl.If(word == 'a'):
        say(text='if')
    with dsl.Else():
        say(text='else')
    with dsl.If(word == 'a'):
        say(text='one')
    with dsl.Elif(side > number):
        say(text='two')
    with dsl.Elif(number == 3):
        with dsl.ParallelFor(['p', 'q']) as item:
            say(text=item)
    with dsl.Else():
        with dsl.If(number == 4):
            say(text='four')
        with dsl.Else():
            dsl.importer(artifact_uri='gs://x', artifact_class=dsl.Dataset)
    with dsl.ParallelFor([1, 2]) as item:
        with dsl.If(item == 1):
            first = say(text='first')
            say(text=first.output)
        with dsl.Else():
            say(text=word)
