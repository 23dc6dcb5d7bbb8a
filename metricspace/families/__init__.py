"""What structures of one kind have in common, one file a kind; each structure says what sets it apart."""
