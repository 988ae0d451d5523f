"""The right to be forgotten: the request, its tombstone, the sweeps that delete, the receipt, the command.

Deletion by age belongs in `upkeep`.
"""
