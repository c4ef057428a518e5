"""Whether what training left is still what it left: a table that was edited is not out-of-fold any more."""

from ensemble.sealed.tables import check_sealed, check_unchanged, read_fold_table
from ensemble.sealed.verification import Verification, verify

__all__ = ["Verification", "check_sealed", "check_unchanged", "read_fold_table", "verify"]
