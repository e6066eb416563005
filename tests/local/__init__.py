"""The local run: its processes, its supervisor, its sentences."""
