"""Unmodified third-party clients against our exchange, in an environment of their own."""
