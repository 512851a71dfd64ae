"""One file or folder per world: prompts, start model, objectives, feedback data, scores."""
