"""KFP's side: its REST API, what its servers can, and the documents' words in KFP's own."""
