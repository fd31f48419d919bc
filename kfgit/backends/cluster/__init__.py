"""A Kubeflow installation: KFP's API for what KFP keeps, the Kubernetes API for everything else."""
