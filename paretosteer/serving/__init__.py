"""Use of a trained cell: restoring, answering prompts, exporting."""
