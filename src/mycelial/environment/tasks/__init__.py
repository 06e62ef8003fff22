"""Team tasks nobody here invented, compiled and many at once: matrix games, foraging, spreading out."""
