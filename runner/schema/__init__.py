"""JSON Schema of the files under conf/, by which an editor completes and checks them."""
