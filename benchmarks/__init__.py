"""The endpoint measured beside MinIO and versitygw: `python -m benchmarks.run` in the checkout."""

import os
import sys

# The machinery that starts real servers is the tests'.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "tests"))
