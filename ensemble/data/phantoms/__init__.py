"""Phantoms: MR-like slices that are drawn from formulas, with labels whose true probabilities are known.

::

    plan      who is ill, how strongly each finding shows, its probability, its label     (no picture yet)
    anatomy   one patient's head, and one slice of it
    findings  the three findings, drawn with the strength that the plan states
    scan      what the scanner adds: bias field, blur, noise, window
    draw      a slice, start to end
    writing   the folder in the origin's layout
    sheet     one picture of many slices, to look at

``class1`` shows as bright lesions beside the ventricles, ``class2`` as wide ventricles, ``class3`` as a bright ring
that pushes the midline. A label is drawn from a probability that is a function of the drawn strength alone, so the
score of the best possible rule on the very same rows is known.
"""
