"""Nodes on AWS, or on any server with AWS's security token service: keys are sessions of one role."""
