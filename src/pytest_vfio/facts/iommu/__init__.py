"""Remapping units, the faults they reported, and interrupts."""
