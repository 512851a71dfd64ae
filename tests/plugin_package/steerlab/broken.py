"""Broken: needs a library that does not exist."""

import no_such_library


class Broken(no_such_library.Method):
    """Never defined."""
