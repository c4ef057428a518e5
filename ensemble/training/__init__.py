"""From images and a recipe to logits: one fold's training, and what it needs."""
