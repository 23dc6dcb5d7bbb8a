"""Our distances beside those of other libraries, one file a family."""
