"""Records and calls that could not be delivered, kept with all that is needed to send them again."""
