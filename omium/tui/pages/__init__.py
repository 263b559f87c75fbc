"""One module for each page and each detail; what they share is page.py."""
