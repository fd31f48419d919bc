from kfp import dsl, kubernetes


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
    step(text='shared').set_accelerator_type('nvidia.com/gpu.shared').set_accelerator_limit(1)
    step(text='shared slice').set_accelerator_type('nvidia.com/mig-1g.10gb.shared')
    step(text='media').set_accelerator_type('nvidia.com/mig-1g.10gb.me').set_accelerator_limit(1)
    step(text='core').set_accelerator_type('aws.amazon.com/neuroncore').set_accelerator_limit(2)
    step(text='flex').set_accelerator_type('gpu.intel.com/i915').set_accelerator_limit(1)
    step(text='max').set_accelerator_type('gpu.intel.com/xe').set_accelerator_limit(4)
    placed = step(text='placed tpu').set_accelerator_type('google.com/tpu').set_accelerator_limit(8)
    kubernetes.add_node_selector(placed, 'cloud.google.com/gke-tpu-accelerator', 'tpu-v5-lite-podslice')
    kubernetes.add_node_selector(placed, 'cloud.google.com/gke-tpu-topology', '2x4')
    kubernetes.add_toleration(placed, key='google.com/tpu', operator='Equal', value='present', effect='NoSchedule')
    part = step(text='gke slice').set_accelerator_type('nvidia.com/gpu').set_accelerator_limit(1)
    kubernetes.add_node_selector(part, 'cloud.google.com/gke-accelerator', 'nvidia-a100-80gb')
    kubernetes.add_node_selector(part, 'cloud.google.com/gke-gpu-partition-size', '1g.10gb')
    kubernetes.add_pod_label(part, 'kueue.x-k8s.io/queue-name', 'research')
    kubernetes.empty_dir_mount(part, volume_name='shared-memory', mount_path='/dev/shm', medium='Memory', size_limit='8Gi')
