"""Nodes on MinIO servers: administration, keys, and what the service itself needs of their storage."""
