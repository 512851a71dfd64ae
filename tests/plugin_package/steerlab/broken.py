"""Broken: needs a library that nobody has."""

import no_such_library


class Broken(no_such_library.Method):
    """Never defined."""
