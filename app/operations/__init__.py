"""Running the service: health, logs, keys."""
