"""`python -m paretosteer`, which is also what `accelerate launch -m paretosteer` starts."""

import sys

from paretosteer.commands.main import main

sys.exit(main())
