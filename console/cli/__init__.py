"""The command line: a face of the console for scripts, pipes and people without a screen."""
