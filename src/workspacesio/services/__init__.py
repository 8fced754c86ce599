"""Use cases: gather facts, decide, act and record."""
