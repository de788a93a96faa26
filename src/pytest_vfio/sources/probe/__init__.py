"""The script that reads a host."""
