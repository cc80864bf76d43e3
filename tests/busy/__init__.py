"""Days of a busy project in minutes: real tools at work under a calendar that goes faster."""
