"""The only printer: plans, reports and errors as text or versioned JSON."""
