"""Drawing and colour without widgets: heat over an image, pages to print."""
