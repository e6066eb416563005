"""`make demo`: one flash sale from its opening to its audit, by shoppers who are real HTTP clients."""
