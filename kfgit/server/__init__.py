"""The local server: KFP's REST API, v2beta1, over the store of one environment."""
