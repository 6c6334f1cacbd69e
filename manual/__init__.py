"""What README.md and docs/ do not have by hand: their pictures, the page of options, and the site."""
