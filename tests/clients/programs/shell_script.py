"""Whatever a shell does, and what it says."""

from kfp import dsl


@dsl.container_component
def shell(script: str, text: dsl.OutputPath(str)):
    return dsl.ContainerSpec(
        image='docker.io/library/alpine:3.20',
        command=['sh', '-ec', 'mkdir -p "$(dirname "$1")"; eval "$0" > "$1"'],
        args=[script, text],
    )


@dsl.pipeline(name='shell-script')
def pipeline(script: str = 'true'):
    shell(script=script)


ARGUMENTS = {'script': 'printf "%s" "$((6 * 7))"'}
TASKS = {'shell': 'SUCCEEDED'}
OUTPUTS = {'shell.text': '42'}
