from kfp import dsl


@dsl.component
def step(text: str):
    pass


@dsl.pipeline(name='accelerators')
def pipeline():
    step(text='whole').set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(1)
    step(text='many').set_accelerator_type('nvidia.com/gpu').set_accelerator_limit('8')
    step(text='type').set_accelerator_type('amd.com/gpu')
    step(text='mig').set_accelerator_type('nvidia.com/mig-1g.5gb').set_accelerator_limit(2)
    step(text='tpu').set_accelerator_type('google.com/tpu').set_accelerator_limit(4).set_cpu_limit('2')
    step(text='gaudi').set_accelerator_limit(2).set_accelerator_type('habana.ai/gaudi')
    step(text='neuron').add_node_selector_constraint('aws.amazon.com/neuron').set_gpu_limit('1').set_memory_limit('1G')
