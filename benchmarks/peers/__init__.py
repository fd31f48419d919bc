"""What kfgit is measured beside: programs of their own, started by the measurements."""
