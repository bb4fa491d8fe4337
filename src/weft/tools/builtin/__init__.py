"""Tools that need no key, under the names that Dify gives them."""
