"""Evidence made into typed values that speak the kernel's semantics: one file a topic."""
