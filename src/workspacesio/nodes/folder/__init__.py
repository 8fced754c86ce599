"""A folder of this machine as a node: every object is a plain file at the path that its key spells."""
