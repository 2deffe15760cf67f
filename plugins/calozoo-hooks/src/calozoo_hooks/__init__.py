"""Hook plugins: what is shown and noted while a run goes on."""
