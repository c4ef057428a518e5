"""Files of one image each, from whoever made them, to pixels as they are stored; one module for each family."""
