"""What comes from other packages and from single files: found, checked, named where it is wrong."""
