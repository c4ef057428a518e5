"""Prediction tables from anywhere: no dataset on disk, no training of ours, only files or arrays."""
