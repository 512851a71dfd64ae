"""`python -m paretosteer`, which is also what `accelerate launch -m paretosteer` starts."""

import sys

from paretosteer.cli import main

sys.exit(main())
