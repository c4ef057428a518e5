"""Ensembles, exact thresholds and honest scores for multi-label greyscale images.

The package is two wings over one ground floor. Left: images to logits (``models``, ``data``, ``training``; torch
lives there). Right: logits to decisions (``blending``, ``thresholds``, ``evaluation``; no torch). Prediction tables
are the only door between them. See ``docs/architecture.md``.
"""

__version__ = "0.1.0"
