"""Tasks from published papers, with the settings of those papers."""
