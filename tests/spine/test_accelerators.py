"""Facts of accelerators: that names mean what their makers say, and that nothing is said of what nobody knows."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from kfgit import accelerators
from kfgit.accelerators import Device

RESOURCES = {
    "nvidia.com/gpu": Device("NVIDIA"),
    "nvidia.com/gpu.shared": Device("NVIDIA", "shared"),
    "nvidia.com/mig-1g.10gb": Device("NVIDIA", "slice", "1g.10gb"),
    "nvidia.com/mig-1g.5gb.me": Device("NVIDIA", "slice", "1g.5gb"),
    "nvidia.com/mig-2g.20gb.shared": Device("NVIDIA", "slice", "2g.20gb"),
    "nvidia.com/mig-1g10gb": Device("NVIDIA", "slice", None),
    "amd.com/gpu": Device("AMD"),
    "amd.com/cpx_nps4": Device("AMD", "slice"),
    "habana.ai/gaudi": Device("Habana"),
    "google.com/tpu": Device("Google"),
    "aws.amazon.com/neuron": Device("AWS"),
    "aws.amazon.com/neuroncore": Device("AWS"),
    "gpu.intel.com/i915": Device("Intel"),
    "gpu.intel.com/xe": Device("Intel"),
    "cpu": None,
    "nvidia.com/gpumem": None,
    "example.com/gpu": None,
}

MODELS = {
    "NVIDIA-A100-SXM4-80GB": {"A100 80GB"},
    "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb": {"A100 40GB"},
    "NVIDIA-A100-80GB-PCIe": {"A100 80GB"},
    "NVIDIA-A100-PCIE-40GB": {"A100 40GB"},
    "nvidia-tesla-a100": {"A100 40GB"},
    "nvidia-a100-80gb": {"A100 80GB"},
    "A100": {"A100 40GB", "A100 80GB"},
    "a100": {"A100 40GB", "A100 80GB"},
    "NVIDIA-A30": {"A30"},
    "NVIDIA-H100-80GB-HBM3": {"H100 80GB"},
    "NVIDIA-H100-80GB-HBM3-SHARED": {"H100 80GB"},
    "nvidia-h100-mega-80gb": {"H100 80GB"},
    "NVIDIA-H100-PCIe": {"H100 80GB"},
    "NVIDIA-H100-NVL": {"H100 94GB"},
    "NVIDIA-H200": {"H200"},
    "nvidia-h200-141gb": {"H200"},
    "NVIDIA-GH200-480GB": {"GH200 96GB"},
    "NVIDIA-GH200-144G-HBM3e": {"GH200 144GB"},
    "nvidia-b200": {"B200"},
    "NVIDIA-GB200": {"GB200"},
    "NVIDIA-RTX-PRO-6000-Blackwell-Server-Edition": {"RTX PRO 6000"},
    "Tesla-T4": {"T4"},
    "nvidia-tesla-t4": {"T4"},
    "NVIDIA-L4": {"L4"},
    "Tesla-V100-SXM2-16GB": {"V100"},
    "AMD_Instinct_MI300X_OAM": {"MI300X"},
    "NVIDIA-B300-SXM6-AC": {"B300"},
    "NVIDIA-GB300": {"GB300"},
    "NVIDIA-H20": {"H20"},
    # GKE's machines, and what is in them.
    "tpu-v5-lite-podslice": {"TPU v5e"},
    "tpu-v5-lite-device": {"TPU v5e"},
    "tpu-v5e": {"TPU v5e"},
    "TPU v5e": {"TPU v5e"},
    "v5litepod": set(),
    "tpu-v5p-slice": {"TPU v5p"},
    "tpu-v6e-slice": {"TPU v6e"},
    "tpu-v4-podslice": {"TPU v4"},
    "tpu7x": {"TPU v7x"},
    # Not these: other memory, a virtual GPU, a card of tomorrow, a pool's own name.
    "NVIDIA-A100-SXM-64GB": set(),
    "GRID-A100-10C": set(),
    "NVIDIA-H20-3e": set(),
    "NVIDIA-R300": set(),
    "NVIDIA-RTX-A6000": set(),
    "my-l4-pool": set(),
    "": set(),
}

VENDORS = {
    "NVIDIA-R300": "NVIDIA",
    "L4": "NVIDIA",
    "AMD_Instinct_MI300X_OAM": "AMD",
    "MI250": "AMD",
    "Gaudi3": "Habana",
    "tpu-v6e-slice": "Google",
    "Trainium": "AWS",
    "Intel Data Center GPU Max 1550": "Intel",
    "my-gpu": None,
}


@pytest.mark.parametrize("name", RESOURCES)
def test_a_resource_says_whose_it_is(name: str) -> None:
    assert accelerators.device(name) == RESOURCES[name]


@pytest.mark.parametrize("name", MODELS)
def test_a_name_means_a_model(name: str) -> None:
    assert accelerators.models(name) == MODELS[name]


@pytest.mark.parametrize("name", VENDORS)
def test_a_model_has_a_maker(name: str) -> None:
    assert accelerators.vendor_of(name) == VENDORS[name]


def test_slices_are_those_of_all_models_that_a_name_may_mean() -> None:
    assert accelerators.slices("nvidia-tesla-a100") == {
        "1g.5gb": 7, "1g.10gb": 4, "2g.10gb": 3, "3g.20gb": 2, "4g.20gb": 1, "7g.40gb": 1,
    }  # fmt: skip
    both = accelerators.slices("A100")
    assert both is not None
    assert {"1g.5gb", "7g.80gb"} <= both.keys()
    # mig-parted's `all-balanced` for the devices 0x318210DE, 0x31C210DE and 0x232910DE has these.
    for name, parts in {
        "B300": {"1g.34gb", "2g.67gb", "3g.135gb"},
        "GB300": {"1g.35gb", "2g.70gb", "3g.139gb"},
        "GB200": {"1g.23gb", "2g.47gb", "3g.93gb"},
        "NVIDIA-H20": {"1g.12gb", "2g.24gb", "3g.48gb"},
    }.items():
        assert parts <= (accelerators.slices(name) or {}).keys()
    assert accelerators.slices("L4") == {}
    assert accelerators.slices("MI300X") is None
    assert accelerators.slices("NVIDIA-R300") is None


def test_a_chip_is_no_other_than_the_machine_that_has_it() -> None:
    assert not accelerators.is_other("tpu-v5e", "tpu-v5-lite-podslice")
    assert not accelerators.is_other("tpu-v6e", "tpu-v6e-slice")
    assert accelerators.is_other("tpu-v5p-slice", "tpu-v5-lite-podslice")


@pytest.mark.parametrize("name", [name for name, models in MODELS.items() if len(models) == 1])
def test_no_gpu_is_cut_into_more_than_it_has(name: str) -> None:
    found = accelerators.slices(name) or {}
    parts = max((int(each.partition("g")[0]) for each in found), default=0)
    assert all(int(each.partition("g")[0]) * count <= parts for each, count in found.items())


@pytest.mark.parametrize(
    ("label", "value", "slice_"),
    [
        ("cloud.google.com/gke-gpu-partition-size", "1g.5gb", "1g.5gb"),
        ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB-MIG-3g.20gb", "3g.20gb"),
        ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB-MIG-1g.5gb-SHARED", "1g.5gb"),
        ("nvidia.com/gpu.product", "NVIDIA-A100-SXM4-40GB", None),
        ("pool", "x-MIG-1g.5gb", None),
    ],
)
def test_labels_tell_of_slices(label: str, value: str, slice_: str | None) -> None:
    assert accelerators.slice_of_label(label, value) == slice_


WORDS = st.sampled_from(
    "nvidia tesla a100 h100 l4 80gb 40gb nvl pcie amd mi300x rtx pro 6000 x tpu-v5e -".split()
)


@given(st.lists(WORDS | st.text(max_size=8), max_size=6).map("-".join))
def test_any_text_can_be_asked_about(text: str) -> None:
    found = accelerators.models(text)
    assert not accelerators.is_other(text, text)
    assert accelerators.is_other(text, "L4") == accelerators.is_other("L4", text)
    assert found or accelerators.slices(text) is None
    assert accelerators.vendor_of(text) is not None or not found
    assert accelerators.device(text) is None or "/" in text


@pytest.mark.parametrize(
    ("resource", "meant"),
    [
        ("nvidia.com/gpus", "nvidia.com/gpu"),
        ("nvidia.com/GPU", "nvidia.com/gpu"),
        ("nvidia.com/gpu.Shared", "nvidia.com/gpu.shared"),
        ("nvdia.com/gpu", "nvidia.com/gpu"),
        ("requests.nvidia.com/gpu", "nvidia.com/gpu"),
        ("habana.ai/gaudi2", "habana.ai/gaudi"),
        ("aws.amazon.com/neurons", "aws.amazon.com/neuron"),
    ],
)
def test_a_name_that_is_nearly_one_is_known(resource: str, meant: str) -> None:
    assert accelerators.meant(resource) == meant


@pytest.mark.parametrize(
    "resource",
    "nvidia.com/gpu nvidia.com/mig-1g.5gb nvidia.com/pgpu nvidia.com/gpu-a100 aws.amazon.com/neurondevice "
    "gpu.example.com/l4 example.com/gpu aliyun.com/gpu-mem intel.com/gpu arm.com/gpu gpu / a/".split(),
)
def test_names_of_others_are_no_mistakes(resource: str) -> None:
    assert accelerators.meant(resource) is None


@given(st.text(max_size=80))
def test_what_was_meant_is_a_device(text: str) -> None:
    meant = accelerators.meant(text)
    assert meant is None or (accelerators.device(meant) is not None and accelerators.device(text) is None)
