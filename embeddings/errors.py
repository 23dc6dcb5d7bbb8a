"""What can go wrong, as exceptions that a caller can tell apart."""


class EmbeddingError(ValueError):
    """Base of every complaint of this package."""


class InputError(EmbeddingError):
    """Data or settings that cannot be used as they are."""


class DivergenceError(EmbeddingError):
    """Training produced embeddings that are not finite."""


class ModelFileError(EmbeddingError):
    """A saved model that is damaged, incomplete, or newer than this version."""


class CollapseWarning(UserWarning):
    """All embeddings of a batch coincide: a point that training cannot leave."""
