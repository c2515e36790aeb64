"""Every failure caused for real, on a simulated clock, until the template's own alarms ring, and fall silent again.

The stage is what the template deploys (`deployment`), run on this machine (`stage`): the three functions in Lambda's own
runtime, a PostgreSQL server, the local AWS. What AWS does between the services, and nothing local offers, is emulated and
says so in its name (`emulated_services`). What the functions write and Lambda measures becomes metrics and alarm states in
`cloudwatch`, minute by minute. `scenarios` causes the failures, `exercise` runs them, `coverage` asks the other way round:
is there an alarm that nothing rings, or a metric that nothing emits?
"""
