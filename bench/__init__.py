"""`make bench`: how fast this shop is, in figures that can be compared, for they come from one run on one machine."""
