"""What happens on the host: input checks, memory errors, signals and progress bars."""
