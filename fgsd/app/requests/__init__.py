"""What a visitor or a program asks for, checked; links, targets and lines of Python."""
