"""Nodes whose keys are sessions: the rights of the moment in a session policy, until they expire."""
