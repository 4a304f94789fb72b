"""A reader of Holdfast repositories, made from Specs/format alone."""
