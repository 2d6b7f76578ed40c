"""What a run leaves for people and programs: plots, the summary, numbers in the field's own formats."""
