"""The known messages, one file for each family of speakers."""
