"""Looking through a dataset before anything is trained on it: what is there, and which traps.

``audit`` reads every image once and returns ``Findings``; ``traps_in_tables`` opens none. No torch.
"""

from ensemble.data.audit.story import audit, traps_in_tables

__all__ = ["audit", "traps_in_tables"]
