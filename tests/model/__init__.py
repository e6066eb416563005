"""A model of the purchase protocol, and the search through everything that can happen to it."""
