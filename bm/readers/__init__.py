"""Everything between a file and a Raw with its events; knows no data set."""
