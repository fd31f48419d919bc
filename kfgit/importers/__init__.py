"""What is live, as documents that would make it so."""
