"""The use cases, as plain functions on a Shop. Both faces, the workers and the command line call these."""
