"""See the deployed dashboards and alarms without AWS.

The preview reads what the function really wrote (log lines, X-Ray segments), turns it into metrics the way CloudWatch
does, evaluates the template's own alarms on a simulated clock and draws the dashboards' own bodies:

    log lines, segments > telemetry (emf > metric_store) ──────┐
    template.yaml > template > validation > alarms, dashboards ┴> watch > page | server

Nothing here is imported by the deployed package, and nothing here leaves the machine.
"""
