"""What all views share: their state, messages, controls, figures and export."""
