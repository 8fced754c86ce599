"""Real servers for tests and benchmarks.

A context manager starts each and stops it with all of its processes. Everything listens on 127.0.0.1 on a
free port. `scripts/install-test-servers` installs what is started here; what is missing makes the test that
needs it fail, never skip.
"""
