"""What would cure a failure, computed from facts: one file a mechanism. Pure; imported by checks."""
