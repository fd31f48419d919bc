"""What kfgit keeps on the cluster for itself: the inventory, the marks on what is ours, and the lock."""
