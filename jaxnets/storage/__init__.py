"""What is written to disk: atomic files, checkpoints, run folders and TensorBoard scalars."""
