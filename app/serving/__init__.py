"""The running process: sockets, workers, logs, health, metrics. What an answer says
belongs to the room that knows it."""
