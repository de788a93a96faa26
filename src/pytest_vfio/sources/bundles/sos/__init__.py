"""A sosreport as evidence."""
