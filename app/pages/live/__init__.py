"""What is coming in, as it comes in: read from the database once a second and only while somebody
looks, never on the way in."""
