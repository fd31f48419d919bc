"""Where a plan is carried out; no backend knows another."""
