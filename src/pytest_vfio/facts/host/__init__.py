"""The machine and what it carries: CPU, memory, disks, interfaces."""
