"""Hosts that were recorded: our own recording, a sosreport, loose files, a pasted text."""
