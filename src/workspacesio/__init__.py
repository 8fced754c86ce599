"""WorkspacesIO: share large research data where it lies."""

__version__ = "0.1.0"
