"""What several rooms share: networks in the plane and on images, and the choice of the best."""
