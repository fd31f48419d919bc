"""Values to text: one module for each way of showing something. Pure; only `cli` writes."""
