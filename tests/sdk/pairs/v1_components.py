from pathlib import Path

from kfp import components, dsl
from kfp.dsl import Dataset, Input

fetch, train = map(components.load_component_from_text, Path(__file__).with_suffix('.yaml').read_text().split('---\n')[:2])


@dsl.pipeline(name='v1-components')
def pipeline(data: Input[Dataset], rate: float = 0.5):
    got = fetch(url='https://x', retries=2)
    train(data=got.outputs['table'], rate=rate, name='n')
    train(data=data)
