"""What boots: configured, generated, running."""
