"""Text in, values out: knows quotes, no evidence and no host."""
