"""Decisions as frozen values: listings and `now` go in, a plan comes out. Pure."""
