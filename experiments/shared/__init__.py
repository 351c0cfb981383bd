"""What several rooms share: networks in the plane and on images."""
