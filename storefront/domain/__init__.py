"""The ground floor: what a sale, an order and an account are. Standard library only, no I/O, no clock."""
