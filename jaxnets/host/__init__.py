"""Work on the host: input checks, out-of-memory errors, signals and progress bars."""
