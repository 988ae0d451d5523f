"""The way in: bounded reading, the verdict, the group commit, the reply."""
