"""A dataset: a folder of images and CSVs in the origin's layout, read without configuration.

``read_dataset`` finds the label tables, groups, template and images, checks all of them at once, and returns a
``Dataset`` whose ids and class names travel with every array. No torch and no cv2: images are found here, not opened.
"""

from ensemble.dataset.groups import check_holdout_groups
from ensemble.dataset.read import read_dataset
from ensemble.dataset.splits import Dataset, Split, with_holdout_in_folds

__all__ = ["Dataset", "Split", "check_holdout_groups", "read_dataset", "with_holdout_in_folds"]
