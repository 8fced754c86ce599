"""Nodes: the places where bytes are, behind one interface (`driver.py`)."""
