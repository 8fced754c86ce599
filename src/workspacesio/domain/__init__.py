"""The rules of WorkspacesIO: pure functions and values. No clock, no randomness, no input or output."""
