"""The Python side of a stage: request, inputs, outputs, events."""
