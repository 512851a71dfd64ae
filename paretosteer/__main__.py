"""`python -m paretosteer`, which is also what `accelerate launch -m paretosteer` starts."""

import sys

from paretosteer.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
