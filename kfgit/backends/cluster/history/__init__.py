"""Runs and schedules as people look at them and steer them."""
