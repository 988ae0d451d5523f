"""Public figures: one calendar month of connectors each, k-anonymous, published once and frozen."""
