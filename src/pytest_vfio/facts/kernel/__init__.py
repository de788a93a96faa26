"""The running kernel: release, command line, log, memory map."""
