"""Text -> values. Knows a quote of the text it reads, and nothing of hosts or of evidence."""
