"""What makes the project's own pages; no part of the package."""
