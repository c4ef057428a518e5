"""Prediction: a stored blend's decisions on new images, as a stream."""
