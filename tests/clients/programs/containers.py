"""Container components: arguments made of pieces, some of them optional, files for outputs, variables."""

from kfp import dsl
from kfp.dsl import ConcatPlaceholder, ContainerSpec, Dataset, IfPresentPlaceholder, Input, Output, OutputPath


@dsl.container_component
def count(data: Input[Dataset], size: OutputPath(int)):
    return ContainerSpec(
        image='docker.io/library/alpine:3.20',
        command=['sh', '-ec'],
        args=['mkdir -p "$(dirname "$1")"; wc -c < "$0" | tr -d " " > "$1"', data.path, size],
    )


@dsl.container_component
def upper(data: Input[Dataset], text: OutputPath(str)):
    return ContainerSpec(
        image='docker.io/library/alpine:3.20',
        command=['sh', '-ec', 'tr a-z A-Z < "$0" > "$1"; echo "$WORD" >> "$1"'],
        args=[data.path, text],
    )


@dsl.container_component
def join(name: str, data: Output[Dataset], greeting: str = 'hello', mark: str = None):
    return ContainerSpec(
        image='docker.io/library/alpine:3.20',
        command=['sh', '-ec', 'mkdir -p "$(dirname "$0")"; printf "%s|" "$@" > "$0"', data.path],
        args=[
            ConcatPlaceholder([greeting, ', ', name]),
            IfPresentPlaceholder(input_name='mark', then=['--mark', mark], else_=['--plain']),
        ],
    )


@dsl.pipeline(name='containers')
def pipeline(name: str):
    plain = join(name=name)
    marked = join(name=name, greeting='good bye', mark='a; b $(c)')
    count(data=plain.outputs['data']).set_cpu_limit('1').set_memory_request('64Mi')
    upper(data=marked.outputs['data']).set_env_variable('WORD', 'end').set_display_name('Upper case')


ARGUMENTS = {'name': 'O\'Brien "x"'}
TASKS = {'join': 'SUCCEEDED', 'join-2': 'SUCCEEDED', 'count': 'SUCCEEDED', 'upper': 'SUCCEEDED'}
OUTPUTS = {
    'count.size': 27,
    'upper.text': 'GOOD BYE, O\'BRIEN "X"|--MARK|A; B $(C)|end\n',
}
FILES = {('join', 'data'): 'hello, O\'Brien "x"|--plain|'}
