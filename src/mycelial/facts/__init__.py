"""What a realistic market looks like."""
