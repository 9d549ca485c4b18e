"""The errors that Saccade raises on purpose.

    SaccadeError               all of them; the command line turns each into a line and exit code 2
    ├── InputError             what the user gave cannot be used: a path, a file, an array
    │   ├── PictureError       one picture cannot be read
    │   ├── SettingError       a recipe key, a flag or its value
    │   └── UnknownNameError   a name that is not in its table
    ├── GalleryError           a gallery that cannot be opened, or was made by another embedder
    └── NotFiniteError         training produced NaN or infinity

Every message says what, where, what was given, what is allowed, and what to do.
"""


class SaccadeError(Exception):
    """Root of all errors that Saccade raises on purpose; its text is meant for people."""


class InputError(SaccadeError):
    """A path, file or array that cannot be used."""


class PictureError(InputError):
    """A picture that cannot be read."""


class SettingError(InputError):
    """A recipe key, a flag, or a value out of its range."""


class UnknownNameError(InputError):
    """A name that is not in its table."""


class GalleryError(SaccadeError):
    """A gallery that cannot be opened or used."""


class NotFiniteError(SaccadeError):
    """A loss or a gradient that is NaN or infinite; names the place and the step."""
