"""The rehearsal: that it tells right, and leaves no trace."""
