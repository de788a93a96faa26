"""How long a run takes, against what it could cost at least and what it would cost elsewhere."""
