"""What becomes of an event: the pure decision, and the pseudonyms under which ids are stored."""
