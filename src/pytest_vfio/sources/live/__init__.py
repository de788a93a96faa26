"""Hosts that are read by this run."""
