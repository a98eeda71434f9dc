"""A replica in a folder of this machine (`type: file`)."""
