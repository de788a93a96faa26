"""What the firmware tells the kernel."""
