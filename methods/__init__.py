"""One file per method, small enough to read beside its paper."""
