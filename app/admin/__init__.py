"""What an operator runs by hand: doctor, imports of history, rotation of the hash key,
the registry of connectors."""
