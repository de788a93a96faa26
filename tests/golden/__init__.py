"""What every check says of every recorded host, kept to be read in a diff."""
