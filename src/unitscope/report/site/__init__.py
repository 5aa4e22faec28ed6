"""The atlas as web pages: functions from an atlas to plain data and HTML, and the static site made of them."""
