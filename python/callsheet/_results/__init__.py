"""Results and runs, through the JSON output of the program `callsheet`."""
