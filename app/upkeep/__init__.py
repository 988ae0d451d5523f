"""What `serve` does in the background to keep the database in order: retention, expiry,
reindexing, and the thread for it.

Work that makes figures of events belongs in `rollups`; deletion that a person asked for belongs in `erasure`.
"""
