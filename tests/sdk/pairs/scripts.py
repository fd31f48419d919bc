from kfp import dsl
from kfp.dsl import Dataset, Input, Model, Output, OutputPath


SCRIPT = """\
kfgit_1=${1} kfgit_2=${2} kfgit_3=${3} kfgit_4=${4}; shift 4; train --rate "${kfgit_1}" < "${kfgit_2}" > "${kfgit_3}"
echo "${kfgit_1}" > "${kfgit_4}"
"""


@dsl.container_component
def plain():
    return dsl.ContainerSpec(image='alpine', command=['sh', '-ec', 'set -u\necho "$(date -u)" ${HOME}\n', 'sh'])


@dsl.container_component
def train(data: Input[Dataset], model: Output[Model], score: OutputPath(float), rate: float = 0.1):
    return dsl.ContainerSpec(
        image='alpine',
        command=['sh', '-ec', SCRIPT, 'sh'],
        args=[rate, data.path, model.path, score],
    )


@dsl.pipeline(name='scripts')
def pipeline(data: Input[Dataset]):
    plain()
    train(data=data)
