"""What a teacher hands out, and a server for a class."""
