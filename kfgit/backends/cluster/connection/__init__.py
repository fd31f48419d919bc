"""How the servers of an installation are reached: one client for each, credentials, proxies, certificates."""
