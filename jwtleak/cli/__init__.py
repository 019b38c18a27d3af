"""Floor 5: words for people. Parse, dispatch, explain, exit.

Here is what makes the program start fast, before anything large is loaded; a library that is imported does none of it.
"""

import gc
import importlib.util
import sys

# What is loaded stays, and what is made for a token forms no cycles: looking for them after each 700 objects is a tenth of
# the time.
gc.set_threshold(50_000, 20, 100)


def _later(name: str) -> None:
    """Have the module `name` of the standard library loaded by whoever first asks it for something."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.loader is None:
        return
    spec.loader = importlib.util.LazyLoader(spec.loader)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)


# click has it for texts that are generators, and for `--help`; loading it takes as long as the rest of click.
_later("inspect")
