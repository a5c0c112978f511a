"""How long the machine of tests/realtime/test_promises.py tries, and what it draws."""

import os
from typing import Final

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

LONG: Final = int(os.environ.get("PROMISES_EXAMPLES", "0"))
PROFILE: Final = settings(
    max_examples=LONG or 60,
    stateful_step_count=40,
    derandomize=not LONG,
    database=None,
    deadline=None,
    print_blob=bool(LONG),
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)
# Healed, everybody is served within so many rounds of sweep and reconnecting.
ROUNDS: Final = 6
SOME: Final = st.integers(0, 11)
# As many faults as one machine sees.
BUDGET: Final = st.sampled_from([0, 1, 2, 3, 5, 8])
SETTLED: Final = st.sampled_from([True, True, False])
LISTENING: Final = st.sampled_from([(0,), (0,), (0, 2)])
ASKED: Final = st.sampled_from([(1,), (2,), (2, 1), (1, 0), (2, 1, 0)])
STEPS: Final = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 99])
