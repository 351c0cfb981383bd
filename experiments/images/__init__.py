"""Image classification and image features."""
