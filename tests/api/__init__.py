"""The description of the shop for programs: that it is whole, that answers keep to it, and that the clients work."""
