"""Floor 5: words for people. Parse, dispatch, explain, exit."""
