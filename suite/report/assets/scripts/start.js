// Everything is there: show what the address asks for.

readState();
show();
