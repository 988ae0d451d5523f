"""What every HTTP face shares: problems as responses, entity tags, limits of senders. No
route, no figure, no event."""
