"""Kubernetes' side: its API, and objects as kfgit writes and reads them."""
