"""Runners: who executes the tasks of a job, one executor a file."""
