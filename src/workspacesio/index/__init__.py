"""The searchable picture of what is stored: crawled, kept true by events, asked under the caller's rights."""
