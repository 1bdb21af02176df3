"""What people read, in every language: gettext catalogues, one folder for each program, and what CLDR knows."""
