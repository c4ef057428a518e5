"""Images on their way into a network: decoded, resized, cached, augmented, batched. cv2 and torch live here."""
