"""GitOps for Kubeflow: pipelines as YAML in git, planned, applied and run."""

__version__ = "0.1.0"
