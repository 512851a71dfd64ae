"""Commands of `paretosteer`, one module each: `add` declares it, importing nothing heavy."""
