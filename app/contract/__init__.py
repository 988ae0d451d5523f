"""The wire: what may arrive. A closed world: what is not described here cannot be stored."""
