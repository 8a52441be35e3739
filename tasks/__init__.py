"""What is computed: the language of models and the tasks written in it. Imports nothing above."""
