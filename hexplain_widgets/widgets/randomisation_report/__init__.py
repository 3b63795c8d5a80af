"""The view of what randomised weights do to attribution maps."""
