"""The preview while rotations run: a fleet of secrets on the drill's stage, and failures that the page switches.

Real are the function, the database, every rotation and every failure, with the times they take. Skipped is what lies in
between: a simulated clock jumps ahead after every turn, so that hours of a fleet's life go by in a minute.
"""
