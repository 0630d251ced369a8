"""Position sizing and limits: every order is Approved or Refused with a reason. Pure."""
