"""Looking through a dataset before anything is trained on it: what is there, and which traps.

``audit`` reads every image once and returns ``Findings``. No torch.
"""

from ensemble.data.audit.story import audit

__all__ = ["audit"]
