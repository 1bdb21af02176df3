"""One module for each revision; revision names sort by age."""
