"""What `make` needs beside the tools it calls: checks, installing in the open, the dev runner."""
