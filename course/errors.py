"""The one kind of failure a user sees."""


class CourseError(Exception):
    """A failure with its cause and its cure, in one sentence, shown without a traceback.

    `details` holds lines to show below the sentence, such as the tail of a server's log.
    """

    def __init__(self, sentence: str, details: str = "") -> None:
        """Keep the sentence and the optional lines that go below it."""
        super().__init__(sentence)
        self.details = details
