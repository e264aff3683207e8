"""What the lessons' worker processes run: functions of modules, which every worker can import."""
