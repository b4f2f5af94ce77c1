"""Letters: a further system, as somebody would write one, to show what that takes. ``plug`` is all that names it."""
