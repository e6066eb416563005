"""The web: HTTP doors onto the services, each in two faces. ``faces.py`` is the only file that knows of two."""
