"""What is known of accelerators: whose a resource is, which models there are, and how a model can be sliced.

Facts, each with its source. What is not known here is no mistake: a name that nobody can place has no models, and
nothing is said of it. Sources:

- resource names: the device plugins of NVIDIA (NVIDIA/k8s-device-plugin, README, "Shared Access to GPUs" and MIG), AMD
  (ROCm/k8s-device-plugin), Intel (intel/intel-device-plugins-for-kubernetes), Habana, AWS (Neuron) and GKE (TPU);
- MIG slices and how many of each a GPU has: NVIDIA/mig-parted, deployments/systemd/config-default.yaml, and the MIG
  user guide, "Supported MIG Profiles"; of GB200 both give other memory sizes, so both are taken;
- names of models: the label `nvidia.com/gpu.product` (NVIDIA/gpu-feature-discovery), GKE's `gke-accelerator` and
  `gke-tpu-accelerator` (Kubernetes Engine, "Plan TPUs in GKE"), Karpenter's `instance-gpu-name`, and what people write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Sort = Literal["whole", "slice", "shared"]


@dataclass(frozen=True, slots=True)
class Device:
    """What a resource's name says: whose it is, and whether a task gets all of a device, a slice, or shares one.

    `slice` is its MIG profile, as `1g.10gb`; None also where the name of a slice cannot be read.
    """

    vendor: str
    sort: Sort = "whole"
    slice: str | None = None

    @property
    def is_mig(self) -> bool:
        """Whether it is an instance of NVIDIA's multi-instance GPUs."""
        return self.vendor == "NVIDIA" and self.sort == "slice"


_VENDORS = {
    "nvidia.com": "NVIDIA",
    "amd.com": "AMD",
    "habana.ai": "Habana",
    "google.com": "Google",
    "aws.amazon.com": "AWS",
    "gpu.intel.com": "Intel",
}
_OF_VENDOR = {
    "nvidia.com": re.compile(r"gpu(\.shared)?\Z|mig-"),
    "amd.com": re.compile(r"gpu\Z|[sdqct]px(_nps\d)?\Z"),
    "habana.ai": re.compile(r"gaudi\Z"),
    "google.com": re.compile(r"tpu\Z"),
    "aws.amazon.com": re.compile(r"neuron(core|device)?\Z"),
    "gpu.intel.com": re.compile(r"(i915|xe)\Z"),
}
_NAMES = tuple(
    "nvidia.com/gpu nvidia.com/gpu.shared amd.com/gpu habana.ai/gaudi google.com/tpu aws.amazon.com/neuron "
    "aws.amazon.com/neuroncore gpu.intel.com/i915 gpu.intel.com/xe".split()
)
# `requests.nvidia.com/gpu` is how a ResourceQuota counts them.
_IN_QUOTAS = "requests."
_ALIKE = 0.9
_LONGEST = 63
_SLICE = re.compile(r"(\d+g\.\d+gb)(?=[.+-]|\Z)", re.IGNORECASE)
_MIG = "mig-"
_SHARED = ".shared"
MODEL_LABELS = (
    "nvidia.com/gpu.product",
    "cloud.google.com/gke-accelerator",
    "cloud.google.com/gke-tpu-accelerator",
    "karpenter.k8s.aws/instance-gpu-name",
    "eks.amazonaws.com/instance-gpu-name",
    "karpenter.azure.com/sku-gpu-name",
    "karpenter.k8s.aws/instance-accelerator-name",
    "amd.com/gpu.product-name",
)
SLICE_LABELS = ("cloud.google.com/gke-gpu-partition-size", "nvidia.com/gpu.product")
# GKE places pods with TPUs by both (Kubernetes Engine, "Plan TPUs in GKE").
TPU_LABELS = ("cloud.google.com/gke-tpu-accelerator", "cloud.google.com/gke-tpu-topology")


def device(resource: str) -> Device | None:
    """What the name of a resource says; None for one that is no known accelerator."""
    domain, _, name = resource.partition("/")
    if domain not in _OF_VENDOR or not _OF_VENDOR[domain].match(name):
        return None
    if name.startswith(_MIG):
        return Device(_VENDORS[domain], "slice", slice_in(name.removeprefix(_MIG)))
    if domain == "amd.com" and name != "gpu":
        return Device(_VENDORS[domain], "slice")
    return Device(_VENDORS[domain], "shared" if name.endswith(_SHARED) else "whole")


def meant(resource: str) -> str | None:
    """The resource that a name was surely meant for: that in the plural, in capitals, or with a letter amiss.

    Device plugins give their devices many names, so one is only taken for a mistake where none is known to have it.
    """
    domain, _, name = resource.lower().removeprefix(_IN_QUOTAS).partition("/")
    if device(resource) is not None or len(domain) > _LONGEST:
        return None
    name = re.sub(r"(?<=gaudi)\d\Z|s\Z", "", name)
    for known in _NAMES:
        of, _, its = known.partition("/")
        if name == its and (domain == of or _is_alike(domain, of)):
            return known
    return None


def _is_alike(one: str, other: str) -> bool:
    import difflib  # noqa: PLC0415 - needed only where a name is nobody's

    return difflib.SequenceMatcher(None, one, other).ratio() >= _ALIKE


def slice_in(text: str) -> str | None:
    """The MIG profile that a text begins with, without what stands behind it, such as `+me`."""
    match = _SLICE.match(text)
    return match.group(1).lower() if match is not None else None


def slice_of_label(label: str, value: str) -> str | None:
    """The MIG profile that a node's label tells of: GKE's own, or the end of NVIDIA's product (strategy `single`)."""
    gke, nvidia = SLICE_LABELS
    if label == gke:
        return slice_in(value)
    _, found, rest = value.partition("-MIG-")
    return slice_in(rest) if found and label == nvidia else None


def is_shared_twice(resource: str, product: str) -> bool:
    """Whether a resource and a product's label both say that GPUs are shared.

    A node's label does so only where its resource is not renamed (NVIDIA/k8s-device-plugin, internal/lm/resource.go).
    """
    return resource.endswith(_SHARED) and product.endswith("-SHARED")


def _layout(*names: str) -> dict[str, int]:
    """The usual slices of a GPU with seven parts, in the order of NVIDIA's guide, and how many there are of each."""
    return dict(zip(names, (7, 4, 3, 2, 1, 1), strict=True))


_SLICES: Mapping[str, Mapping[str, int]] = {
    "A30": {"1g.6gb": 4, "2g.12gb": 2, "4g.24gb": 1},
    "A100 40GB": _layout("1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb"),
    "A100 80GB": _layout("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"),
    "H100 80GB": _layout("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"),
    "H100 94GB": _layout("1g.12gb", "1g.24gb", "2g.24gb", "3g.47gb", "4g.47gb", "7g.94gb"),
    "H100 96GB": _layout("1g.12gb", "1g.24gb", "2g.24gb", "3g.48gb", "4g.48gb", "7g.96gb"),
    "H200": _layout("1g.18gb", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb"),
    "GH200 96GB": _layout("1g.12gb", "1g.24gb", "2g.24gb", "3g.48gb", "4g.48gb", "7g.96gb"),
    "GH200 144GB": _layout("1g.18gb", "1g.36gb", "2g.36gb", "3g.72gb", "4g.72gb", "7g.144gb"),
    "B200": _layout("1g.23gb", "1g.45gb", "2g.45gb", "3g.90gb", "4g.90gb", "7g.180gb"),
    "GB200": {
        **_layout("1g.24gb", "1g.47gb", "2g.47gb", "3g.95gb", "4g.95gb", "7g.189gb"),
        **_layout("1g.23gb", "1g.46gb", "2g.46gb", "3g.93gb", "4g.93gb", "7g.186gb"),
    },
    "B300": _layout("1g.34gb", "1g.67gb", "2g.67gb", "3g.135gb", "4g.135gb", "7g.269gb"),
    "GB300": _layout("1g.35gb", "1g.70gb", "2g.70gb", "3g.139gb", "4g.139gb", "7g.278gb"),
    "H20": _layout("1g.12gb", "1g.24gb", "2g.24gb", "3g.48gb", "4g.48gb", "7g.96gb"),
    "RTX PRO 6000": {"1g.24gb": 4, "2g.48gb": 2, "4g.96gb": 1},
    # These have none: MIG begins with A100 and is of data centres (MIG user guide, "Supported GPUs").
    **{name: {} for name in "K80 P4 P100 V100 T4 A2 A10 A10G A16 A40 L4 L40 L40S".split()},
}
# The variants of a family by the word that tells them apart; "" is what the bare name may be.
_VARIANTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "a100": {
        "": ("A100 40GB", "A100 80GB"),
        "tesla": ("A100 40GB",),  # GKE's `nvidia-tesla-a100`
        "40gb": ("A100 40GB",),
        "80gb": ("A100 80GB",),
    },
    "h100": {
        "": ("H100 80GB", "H100 94GB", "H100 96GB"),
        "pcie": ("H100 80GB",),
        "nvl": ("H100 94GB",),
        "80gb": ("H100 80GB",),
        "94gb": ("H100 94GB",),
        "96gb": ("H100 96GB",),
    },
    "h200": {"": ("H200",), "141gb": ("H200",)},
    "gh200": {
        "": ("GH200 96GB", "GH200 144GB"),
        "96gb": ("GH200 96GB",),
        "480gb": ("GH200 96GB",),  # what NVIDIA's label counts is the memory of its CPU
        "144g": ("GH200 144GB",),
        "144gb": ("GH200 144GB",),
    },
    "b200": {"": ("B200",), "180gb": ("B200",)},
    "b300": {"": ("B300",), "ac": ("B300",)},  # `NVIDIA-B300-SXM6-AC`
    "h20": {"": ("H20",), "96gb": ("H20",)},
    "a30": {"": ("A30",), "24gb": ("A30",)},
    "v100": {"": ("V100",), "16gb": ("V100",), "32gb": ("V100",)},
    "p100": {"": ("P100",), "12gb": ("P100",), "16gb": ("P100",)},
    "l4": {"": ("L4",), "24gb": ("L4",)},
    "t4": {"": ("T4",), "16gb": ("T4",)},
    "a10g": {"": ("A10G",), "24gb": ("A10G",)},
    "l40s": {"": ("L40S",), "48gb": ("L40S",)},
    **{name.lower(): {"": (name,)} for name in "GB200 GB300 K80 P4 A2 A10 A16 A40 L40".split()},
}
# Words that say nothing of how a GPU is sliced. One with any other word is taken for a model that nobody knows here.
_ASIDE = frozenset(
    "nvidia tesla sxm sxm2 sxm3 sxm4 sxm5 sxm6 pcie hbm2 hbm2e hbm3 hbm3e nvl mega gpu".split()
)
_BLACKWELL_PRO = frozenset("rtx pro 6000".split())
_PRO_ASIDE = frozenset("nvidia blackwell server workstation max q edition 96gb".split())
_INSTINCT = re.compile(r"mi\d{2,3}[a-z]?\Z")
# GKE's names of machines, and how people and Cloud TPU call the chips in them: a v5e is `tpu-v5-lite-podslice` there.
_TPU = re.compile(r"tpu[- ]?v?(?P<chip>\d\w*?)(?P<lite>-?lite)?(-?pod)?(-podslice|-slice|-device)?\Z")


def models(name: str) -> frozenset[str]:
    """The models that a name may mean; none where that is not known."""
    text = name.strip().lower()
    tpu = _TPU.match(text)
    if tpu is not None:
        return frozenset({f"TPU v{tpu['chip']}{'e' if tpu['lite'] else ''}"})
    words = _words(text)
    instincts = frozenset(word.upper() for word in words if _INSTINCT.match(word))
    if instincts:
        return instincts
    if words >= _BLACKWELL_PRO and words <= _BLACKWELL_PRO | _PRO_ASIDE:
        return frozenset({"RTX PRO 6000"})
    families = words & _VARIANTS.keys()
    if len(families) != 1:
        return frozenset()
    (family,) = families
    variants = _VARIANTS[family]
    if not words <= {family} | variants.keys() | _ASIDE:
        return frozenset()
    told = [variants[word] for word in _telling(words, variants)]
    found = frozenset(variants[""]).intersection(*told)
    return found or frozenset(variants[""])


def _telling(words: frozenset[str], variants: Mapping[str, tuple[str, ...]]) -> frozenset[str]:
    """The words that tell variants apart: a size is surer than the form of the card."""
    telling = words & variants.keys()
    sizes = frozenset(word for word in telling if word[0].isdigit())
    return sizes or telling


def _words(text: str) -> frozenset[str]:
    """The words of a name, without what GPU feature discovery adds for slices and sharing."""
    bare = re.sub(r"(-mig-.*|-shared)\Z", "", text)
    return frozenset(word for word in re.split(r"[-_/\s]+", bare) if word)


def vendor_of(name: str) -> str | None:
    """Whose a model is, as far as its name says."""
    words = _words(name.strip().lower())
    if words & {"nvidia", "tesla", "geforce", "quadro", "grid"}:
        return "NVIDIA"
    found = models(name)
    for vendor, is_theirs in (
        ("Google", any(each.startswith("TPU ") for each in found)),
        ("AMD", bool(words & {"amd", "instinct", "radeon"}) or any(_INSTINCT.match(w) for w in words)),
        ("Habana", bool(words & {"habana", "gaudi", "gaudi2", "gaudi3"})),
        ("AWS", bool(words & {"trainium", "trainium2", "inferentia", "inferentia2"})),
        ("Intel", "intel" in words and not words & {"gaudi", "gaudi2", "gaudi3"}),
        ("NVIDIA", bool(found)),
    ):
        if is_theirs:
            return vendor
    return None


def slices(model: str) -> Mapping[str, int] | None:
    """The MIG slices of a model and how many of each there are; empty for one without, None where nobody knows."""
    found = models(model)
    if not found or not found <= _SLICES.keys():
        return None
    return {name: count for each in sorted(found) for name, count in _SLICES[each].items()}


def is_other(one: str, another: str) -> bool:
    """Whether two names are of models that are known to be different."""
    first, second = models(one), models(another)
    return bool(first and second) and not first & second
