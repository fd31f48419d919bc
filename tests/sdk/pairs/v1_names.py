from pathlib import Path

from kfp import components, dsl

fetch = components.load_component_from_text(Path(__file__).with_suffix('.yaml').read_text().split('---\n')[0])


@dsl.component
def say(text: str):
    pass


@dsl.pipeline(name='v1-names')
def pipeline():
    got = fetch(the_table_s_name='x', size_mb=3)
    say(text=got.outputs['file_name'])
