"""Changes carried out on KFP's side, so that whoever was killed can begin again."""
