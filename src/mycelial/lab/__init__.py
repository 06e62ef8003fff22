"""The laboratory: figures and reports on worlds that have been run."""
