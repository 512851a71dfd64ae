"""Property tests run the same examples every time and have no deadline on shared machines."""

from hypothesis import settings

settings.register_profile(
    "metrics", derandomize=True, deadline=None, max_examples=50, database=None
)
settings.load_profile("metrics")
