"""What is live: everything seen with few requests, and which of it is ours."""
