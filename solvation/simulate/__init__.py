"""Simulate: from a system to a trajectory."""
