"""All topics of one host together: the only room that holds the whole host."""
