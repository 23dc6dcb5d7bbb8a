"""Every complaint of the library: what was given, what was expected, what to do."""


class MetricSpaceError(Exception):
    """The base of every error raised on purpose by this library."""


class InvalidArgument(MetricSpaceError, ValueError):
    """A value that cannot be used: out of range, of the wrong shape, not finite."""


class WrongType(MetricSpaceError, TypeError):
    """An object of the wrong kind, such as a string where vectors are expected."""


class UnknownName(MetricSpaceError, ValueError, KeyError):
    """No metric, structure or id of that name; the message lists what there is."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted


class NotAMetric(MetricSpaceError, ValueError):
    """A dissimilarity that breaks the laws that exact search needs; the message names the remedy."""


class MetricFailed(MetricSpaceError, ValueError):
    """A user's metric returned something that is no distance: NaN, infinity or a negative number."""


class NotFitted(MetricSpaceError, RuntimeError):
    """A query before ``fit``."""


class NotSupported(MetricSpaceError, TypeError):
    """An operation that this structure does not have; the message names one that does."""


class TooLarge(MetricSpaceError, MemoryError):
    """A structure that would not fit in memory; the message names a smaller one."""


class StorageError(MetricSpaceError, ValueError):
    """A file that is damaged, newer than this library, or of another metric."""
