"""From a trained model to an answer: export and runtimes."""
