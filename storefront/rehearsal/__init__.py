"""`flask rehearse`: a sale is tried out before its day, on the shop's own servers, in a shadow that leaves no trace."""
