"""What pages are made of: lists, trees, plots, values."""
