"""A data set, a model and its metrics, handed from task to task with their metadata."""

from kfp import dsl
from kfp.dsl import ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output


@dsl.component
def load(rows: int, data: Output[Dataset]):
    with open(data.path, 'w') as file:
        file.writelines(f'{row},{row * row}\n' for row in range(rows))
    data.metadata['rows'] = rows


@dsl.component
def train(data: Input[Dataset], model: Output[Model], report: Output[Markdown]):
    import os

    os.makedirs(model.path)
    with open(os.path.join(model.path, 'weights.txt'), 'w') as file:
        file.write(open(data.path).read().splitlines()[-1])
    with open(report.path, 'w') as file:
        file.write('# trained')
    model.metadata['framework'] = 'none'


@dsl.component
def evaluate(
    data: Input[Dataset], model: Input[Model], metrics: Output[Metrics], curve: Output[ClassificationMetrics]
) -> float:
    weights = open(model.path + '/weights.txt').read()
    metrics.log_metric('accuracy', 0.75)
    metrics.log_metric('rows', data.metadata['rows'])
    curve.log_confusion_matrix(['no', 'yes'], [[3, 1], [0, 4]])
    assert model.metadata['framework'] == 'none'
    return float(weights.split(',')[1])


@dsl.pipeline(name='artifacts')
def pipeline(rows: int = 4) -> float:
    data = load(rows=rows).outputs['data']
    model = train(data=data).outputs['model']
    return evaluate(data=data, model=model).outputs['Output']


ARGUMENTS = {'rows': 5}
TASKS = {'load': 'SUCCEEDED', 'train': 'SUCCEEDED', 'evaluate': 'SUCCEEDED'}
OUTPUTS = {'Output': 16.0}
FILES = {('load', 'data'): '0,0\n1,1\n2,4\n3,9\n4,16\n', ('train', 'report'): '# trained'}
METADATA = {('evaluate', 'metrics'): {'accuracy': 0.75, 'rows': 5}}
