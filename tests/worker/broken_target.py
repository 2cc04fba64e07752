"""A user module with a mistake in it."""

raise NameError("name 'Crwe' is not defined")
