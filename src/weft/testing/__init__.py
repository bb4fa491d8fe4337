"""What authors of plugins and users of Weft test with."""
