"""The tables as SQLAlchemy declares them, one file a subject. What is done with their rows belongs elsewhere."""
