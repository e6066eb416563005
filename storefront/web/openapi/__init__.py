"""The shop's description for programs (OpenAPI 3.1), in the caller's language, and the page that shows it.

``operations`` is the table of what can be called; ``asked`` makes what a call takes from the very forms that judge it,
``answers`` is what comes back, ``document`` puts it together with the addresses that Flask knows, ``views`` serves it.
"""
