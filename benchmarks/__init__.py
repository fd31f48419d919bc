"""How fast kfgit is, beside peers and floors that are timed in the same run. See README.md."""
