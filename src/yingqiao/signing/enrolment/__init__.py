"""How people and hospitals come to certificates: the forms of annexes 2 to 4, and how an application is decided."""
