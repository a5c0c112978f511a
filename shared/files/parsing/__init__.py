"""What is in an uploaded file: sniffed, never taken from its name, and read in a process of its own."""
