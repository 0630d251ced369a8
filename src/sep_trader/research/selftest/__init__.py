"""The self-test of the evidence: nothing that has no edge may become READY too often; every mistake must be seen."""
